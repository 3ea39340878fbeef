//! Volume: how much is traded, and on which side.

use crate::ops::{
    abs, c, correlation, lag, ln, mean, moments, r, sum, where_above_zero, window, window2,
};
use crate::price::close_location;
use crate::{CLOSE_OF_BAR, Feature};
use polars::prelude::{Expr, lit, when};

const KARPOFF: &str = "Karpoff, Journal of Financial and Quantitative Analysis 22 (1987) 109-126";

pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        id: "volume_ratio_20",
        group: "volume",
        formula: "V[t] / mean(V[t-19..t]); missing when nothing was traded",
        parameters: &[("n", 20)],
        warm_up: 19,
        known_at: CLOSE_OF_BAR,
        needs: &["volume"],
        source: KARPOFF,
        expr: |p| c("volume") / mean(c("volume"), p[0]),
    },
    Feature {
        id: "money_flow_14",
        group: "volume",
        formula: "share of typical price (H+L+C)/3 times V that fell on days on which the typical price rose, of those on which it moved, over 14 bars",
        parameters: &[("n", 14)],
        warm_up: 14,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low", "close", "volume"],
        source: "Quong & Soudack, Technical Analysis of Stocks & Commodities 7 (1989) 3",
        expr: |p| {
            let typical = (c("high") + c("low") + c("close")) / lit(3.0);
            let change = typical.clone() - lag(typical.clone(), 1);
            let flow = typical * c("volume");
            let rose = sum(where_above_zero(change.clone(), flow.clone()), p[0]);
            let fell = sum(where_above_zero(lit(0.0) - change, flow), p[0]);
            rose.clone() / (rose + fell)
        },
    },
    Feature {
        id: "on_balance_20",
        group: "volume",
        formula: "(volume of rising days - volume of falling days) / volume, over 20 bars, by the close",
        parameters: &[("n", 20)],
        warm_up: 20,
        known_at: CLOSE_OF_BAR,
        needs: &["close", "volume"],
        source: "Granville, New Key to Stock Market Profits (1963)",
        expr: |p| {
            let change = c("close") - lag(c("close"), 1);
            let part = |sign: Expr| sum(where_above_zero(sign, c("volume")), p[0]);
            (part(change.clone()) - part(lit(0.0) - change)) / sum(c("volume"), p[0])
        },
    },
    Feature {
        id: "volume_change_1",
        group: "volume",
        formula: "ln(V[t] / V[t-1]); missing when nothing was traded",
        parameters: &[("n", 1)],
        warm_up: 1,
        known_at: CLOSE_OF_BAR,
        needs: &["volume"],
        source: KARPOFF,
        expr: |p| ln(c("volume") / lag(c("volume"), p[0])),
    },
    Feature {
        id: "volume_trend_5_60",
        group: "volume",
        formula: "ln(mean(V[t-4..t]) / mean(V[t-59..t])); missing when nothing was traded",
        parameters: &[("fast", 5), ("slow", 60)],
        warm_up: 59,
        known_at: CLOSE_OF_BAR,
        needs: &["volume"],
        source: KARPOFF,
        expr: |p| ln(mean(c("volume"), p[0]) / mean(c("volume"), p[1])),
    },
    Feature {
        id: "volume_variation_20",
        group: "volume",
        formula: "standard deviation (n) of V / mean of V, over 20 bars; missing when nothing was traded",
        parameters: &[("n", 20)],
        warm_up: 19,
        known_at: CLOSE_OF_BAR,
        needs: &["volume"],
        source: "Chordia, Subrahmanyam & Anshuman, Journal of Financial Economics 59 (2001) 3-32",
        expr: |p| {
            window(c("volume"), p[0], |w| {
                let (mean, variance) = moments(w);
                variance.sqrt() / mean
            })
        },
    },
    Feature {
        id: "volume_price_trend_20",
        group: "volume",
        formula: "sum of V (C / C of the bar before - 1) / sum of V, over 20 bars",
        parameters: &[("n", 20)],
        warm_up: 20,
        known_at: CLOSE_OF_BAR,
        needs: &["close", "volume"],
        source: "Markstein's volume-price trend, in Kaufman, Trading Systems and Methods, 5th ed. (2013)",
        expr: |p| {
            let change = c("close") / lag(c("close"), 1) - lit(1.0);
            sum(change * c("volume"), p[0]) / sum(c("volume"), p[0])
        },
    },
    Feature {
        id: "chaikin_money_flow_20",
        group: "volume",
        formula: "sum of V ((C - L) - (H - C)) / (H - L) / sum of V, over 20 bars; a bar with H = L counts as 0",
        parameters: &[("n", 20)],
        warm_up: 19,
        known_at: CLOSE_OF_BAR,
        needs: &["high", "low", "close", "volume"],
        source: "Chaikin's money flow, in Achelis, Technical Analysis from A to Z, 2nd ed. (2000)",
        expr: |p| {
            let flow = when(c("high").gt(c("low")))
                .then(close_location() * c("volume"))
                .otherwise(c("volume") * lit(0.0));
            sum(flow, p[0]) / sum(c("volume"), p[0])
        },
    },
    Feature {
        id: "volume_move_correlation_60",
        group: "volume",
        formula: "correlation of |r| and V over 60 bars; missing when one of them does not vary",
        parameters: &[("n", 60)],
        warm_up: 60,
        known_at: CLOSE_OF_BAR,
        needs: &["close", "volume"],
        source: KARPOFF,
        expr: |p| window2(abs(r()), c("volume"), p[0], correlation),
    },
];
