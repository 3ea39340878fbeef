//! Technical indicators as pure numbers, without the level of the price. Exponential means weigh all
//! bars so far with weights normalised to one, so that they need no arbitrary first value.

use crate::Feature;
use crate::ops::{c, ewm, lag, larger, mean_of, where_above_zero, window};
use polars::prelude::{Expr, lit};

const WILDER: &str = "Wilder, New Concepts in Technical Trading Systems (1978)";

pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        id: "rsi_14",
        group: "technical",
        formula: "U / (U + D), U and D the exponential means (alpha 1/14) of rises and falls of C; missing when C never moved",
        parameters: &[("n", 14)],
        warm_up: 14,
        needs: &["close"],
        source: WILDER,
        expr: |p| {
            let change = c("close") - lag(c("close"), 1);
            let side = |sign: Expr| {
                ewm(
                    where_above_zero(sign.clone(), sign),
                    1.0 / p[0] as f64,
                    p[0],
                )
            };
            let up = side(change.clone());
            let down = side(lit(0.0) - change);
            up.clone() / (up + down)
        },
    },
    Feature {
        id: "macd_histogram",
        group: "technical",
        formula: "(M - EMA9(M)) / C, M = EMA12(C) - EMA26(C), EMAn with alpha 2/(n+1)",
        parameters: &[("fast", 12), ("slow", 26), ("signal", 9)],
        warm_up: 33,
        needs: &["close"],
        source: "Appel, Technical Analysis: Power Tools for Active Investors (2005)",
        expr: |p| {
            let ema = |e: Expr, n: usize| ewm(e, 2.0 / (n as f64 + 1.0), n);
            let macd = ema(c("close"), p[0]) - ema(c("close"), p[1]);
            (macd.clone() - ema(macd, p[2])) / c("close")
        },
    },
    Feature {
        id: "bollinger_b_20",
        group: "technical",
        formula: "(C - lower) / (upper - lower), bands two standard deviations (n) about the mean of 20 closes; missing when C did not move",
        parameters: &[("n", 20)],
        warm_up: 19,
        needs: &["close"],
        source: "Bollinger, Bollinger on Bollinger Bands (2001)",
        expr: |p| {
            window(c("close"), p[0], |w| {
                let mean = mean_of(w);
                let variance = w.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / w.len() as f64;
                let last = w.last().copied().unwrap_or(f64::NAN);
                // Rounding alone leaves a variance this small when all closes are equal.
                if variance <= (mean * f64::EPSILON * 8.0).powi(2) {
                    f64::NAN
                } else {
                    0.5 + (last - mean) / (4.0 * variance.sqrt())
                }
            })
        },
    },
    Feature {
        id: "atr_share_14",
        group: "technical",
        formula: "exponential mean (alpha 1/14) of the true range max(H, C[t-1]) - min(L, C[t-1]), divided by C",
        parameters: &[("n", 14)],
        warm_up: 14,
        needs: &["high", "low", "close"],
        source: WILDER,
        expr: |p| {
            let before = lag(c("close"), 1);
            let top = larger(c("high"), before.clone());
            let bottom = lit(0.0) - larger(lit(0.0) - c("low"), lit(0.0) - before);
            ewm(top - bottom, 1.0 / p[0] as f64, p[0]) / c("close")
        },
    },
];
