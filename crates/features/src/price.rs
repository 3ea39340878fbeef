//! Price: returns, momentum, gaps, distance to highs, lows and averages.

use crate::ops::{c, lag, ln, max, mean, min, r, sum};
use crate::{CLOSE_OF_BAR, Feature};
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
        known_at: CLOSE_OF_BAR,
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
        "momentum_10",
        "C[t] / C[t-10] - 1",
        &[("skip", 0), ("n", 10)],
        10,
        CLOSE,
        MOMENTUM,
        momentum,
    ),
    feature(
        "momentum_252",
        "C[t] / C[t-252] - 1",
        &[("skip", 0), ("n", 252)],
        252,
        CLOSE,
        MOMENTUM,
        momentum,
    ),
    feature(
        "overnight_return_20",
        "sum of ln(O/C of the bar before) over 20 bars",
        &[("n", 20)],
        20,
        &["open", "close"],
        "Lou, Polk & Skouras, Journal of Financial Economics 134 (2019) 192-213",
        |p| sum(ln(c("open") / lag(c("close"), 1)), p[0]),
    ),
    feature(
        "max_return_20",
        "largest r of 20 bars",
        &[("n", 20)],
        20,
        CLOSE,
        "Bali, Cakici & Whitelaw, Journal of Financial Economics 99 (2011) 427-446",
        |p| max(r(), p[0]),
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
        "close_location",
        "((C - L) - (H - C)) / (H - L); missing when H = L",
        &[],
        0,
        &["high", "low", "close"],
        "Chaikin's close location value, in Kaufman, Trading Systems and Methods, 5th ed. (2013)",
        |_| close_location(),
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
    feature(
        "sma_gap_200",
        "C[t] / mean(C[t-199..t]) - 1",
        &[("n", 200)],
        199,
        CLOSE,
        AVERAGES,
        sma_gap,
    ),
];

/// Where the close lies in the range of its bar, -1 at the low and 1 at the high.
pub(crate) fn close_location() -> Expr {
    (c("close") * lit(2.0) - c("high") - c("low")) / (c("high") - c("low"))
}

fn returns(p: &[usize]) -> Expr {
    ln(c("close") / lag(c("close"), p[0]))
}

fn lagged(p: &[usize]) -> Expr {
    lag(r(), p[0])
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
