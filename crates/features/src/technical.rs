//! Technical indicators as pure numbers, without the level of the price. Exponential means weigh all
//! bars so far with weights normalised to one, so that they need no arbitrary first value.

use crate::ops::{
    abs, c, ewm, lag, larger, ln, max, min, moments, sum, where_above_zero, window, window2,
};
use crate::{CLOSE_OF_BAR, Feature};
use polars::prelude::{Expr, NULL, lit, when};

const WILDER: &str = "Wilder, New Concepts in Technical Trading Systems (1978)";

pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        id: "rsi_14",
        group: "technical",
        formula: "U / (U + D), U and D the exponential means (alpha 1/14) of rises and falls of C; missing when C never moved",
        parameters: &[("n", 14)],
        warm_up: 14,
        known_at: CLOSE_OF_BAR,
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
        known_at: CLOSE_OF_BAR,
        needs: &["close"],
        source: "Appel, Technical Analysis: Power Tools for Active Investors (2005)",
        expr: |p| {
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
        known_at: CLOSE_OF_BAR,
        needs: &["close"],
        source: "Bollinger, Bollinger on Bollinger Bands (2001)",
        expr: |p| {
            window(c("close"), p[0], |w| {
                let (mean, variance) = moments(w);
                0.5 + (w[w.len() - 1] - mean) / (4.0 * variance.sqrt())
            })
        },
    },
    Feature {
        id: "atr_share_14",
        group: "technical",
        formula: "exponential mean (alpha 1/14) of the true range max(H, C[t-1]) - min(L, C[t-1]), divided by C",
        parameters: &[("n", 14)],
        warm_up: 14,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low", "close"],
        source: WILDER,
        expr: |p| ewm(true_range(), 1.0 / p[0] as f64, p[0]) / c("close"),
    },
    Feature {
        id: "macd_line",
        group: "technical",
        formula: "(EMA12(C) - EMA26(C)) / C, EMAn with alpha 2/(n+1)",
        parameters: &[("fast", 12), ("slow", 26)],
        warm_up: 25,
        known_at: CLOSE_OF_BAR,
        needs: &["close"],
        source: "Appel, Technical Analysis: Power Tools for Active Investors (2005)",
        expr: |p| (ema(c("close"), p[0]) - ema(c("close"), p[1])) / c("close"),
    },
    Feature {
        id: "bollinger_width_20",
        group: "technical",
        formula: "4 standard deviations (n) of C / mean of C, over 20 bars",
        parameters: &[("n", 20)],
        warm_up: 19,
        known_at: CLOSE_OF_BAR,
        needs: &["close"],
        source: "Bollinger, Bollinger on Bollinger Bands (2001)",
        expr: |p| {
            window(c("close"), p[0], |w| {
                let (mean, variance) = moments(w);
                4.0 * variance.sqrt() / mean
            })
        },
    },
    Feature {
        id: "stochastic_14",
        group: "technical",
        formula: "(C - min L) / (max H - min L) over 14 bars; missing when nothing moved",
        parameters: &[("n", 14)],
        warm_up: 13,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low", "close"],
        source: "Lane's stochastics, in Kaufman, Trading Systems and Methods, 5th ed. (2013)",
        expr: |p| {
            let bottom = min(c("low"), p[0]);
            (c("close") - bottom.clone()) / (max(c("high"), p[0]) - bottom)
        },
    },
    Feature {
        id: "commodity_channel_20",
        group: "technical",
        formula: "(P - mean of P) / (0.015 mean |P - mean of P|), P = (H+L+C)/3, over 20 bars; missing when nothing moved",
        parameters: &[("n", 20)],
        warm_up: 19,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low", "close"],
        source: "Lambert, Commodities 9 (1980) 10, 40-41",
        expr: |p| {
            let typical = (c("high") + c("low") + c("close")) / lit(3.0);
            window(typical, p[0], |w| {
                let (mean, variance) = moments(w);
                let deviation = w.iter().map(|x| (x - mean).abs()).sum::<f64>() / w.len() as f64;
                // Rounding alone leaves a deviation when nothing moved.
                if variance > 0.0 {
                    (w[w.len() - 1] - mean) / (0.015 * deviation)
                } else {
                    f64::NAN
                }
            })
        },
    },
    Feature {
        id: "directional_14",
        group: "technical",
        formula: "(P - M) / (P + M), P and M the exponential means (alpha 1/14) of Wilder's directional moves up and down; missing when there was none",
        parameters: &[("n", 14)],
        warm_up: 14,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low"],
        source: WILDER,
        expr: |p| directional(p[0]),
    },
    Feature {
        id: "adx_14",
        group: "technical",
        formula: "exponential mean (alpha 1/14) of |directional_14|",
        parameters: &[("n", 14)],
        warm_up: 27,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low"],
        source: WILDER,
        expr: |p| {
            let strength = abs(directional(p[0]));
            ewm(strength, 1.0 / p[0] as f64, p[0])
        },
    },
    Feature {
        id: "aroon_25",
        group: "technical",
        formula: "(bars since the lowest L - bars since the highest H of the last 26) / 25, the newest of equals",
        parameters: &[("n", 25)],
        warm_up: 25,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low"],
        source: "Chande, Technical Analysis of Stocks & Commodities 13 (1995) 9",
        expr: |p| {
            window2(c("high"), c("low"), p[0] + 1, |high, low| {
                let newest = |w: &[f64], above: fn(f64, f64) -> bool| {
                    (1..w.len()).fold(0, |best, i| if above(w[i], w[best]) { i } else { best })
                };
                let (top, bottom) = (newest(high, |a, b| a >= b), newest(low, |a, b| a <= b));
                (top as f64 - bottom as f64) / (high.len() - 1) as f64
            })
        },
    },
    Feature {
        id: "trix_15",
        group: "technical",
        formula: "log change in one bar of EMA15(EMA15(EMA15(C))), alpha 2/(n+1)",
        parameters: &[("n", 15)],
        warm_up: 43,
        known_at: CLOSE_OF_BAR,
        needs: &["close"],
        source: "Hutson, Technical Analysis of Stocks & Commodities 1 (1983) 5",
        expr: |p| {
            let smooth = ema(ema(ema(c("close"), p[0]), p[0]), p[0]);
            ln(smooth.clone() / lag(smooth, 1))
        },
    },
    Feature {
        id: "efficiency_20",
        group: "technical",
        formula: "(C[t] - C[t-20]) / sum of |C - C of the bar before| over 20 bars; missing when nothing moved",
        parameters: &[("n", 20)],
        warm_up: 20,
        known_at: CLOSE_OF_BAR,
        needs: &["close"],
        source: "Kaufman, Smarter Trading (1995)",
        expr: |p| {
            let step = c("close") - lag(c("close"), 1);
            let path = sum(abs(step), p[0]);
            (c("close") - lag(c("close"), p[0])) / path
        },
    },
];

fn ema(e: Expr, n: usize) -> Expr {
    ewm(e, 2.0 / (n as f64 + 1.0), n)
}

fn true_range() -> Expr {
    let before = lag(c("close"), 1);
    let top = larger(c("high"), before.clone());
    let bottom = lit(0.0) - larger(lit(0.0) - c("low"), lit(0.0) - before);
    top - bottom
}

fn directional(n: usize) -> Expr {
    let up = c("high") - lag(c("high"), 1);
    let down = lag(c("low"), 1) - c("low");
    let side = |one: &Expr, other: &Expr| {
        let counts = one.clone().gt(other.clone()).and(one.clone().gt(lit(0.0)));
        let moves = when(counts)
            .then(one.clone())
            .when((one.clone() + other.clone()).is_not_null())
            .then(lit(0.0))
            .otherwise(lit(NULL));
        ewm(moves, 1.0 / n as f64, n)
    };
    let (plus, minus) = (side(&up, &down), side(&down, &up));
    (plus.clone() - minus.clone()) / (plus + minus)
}
