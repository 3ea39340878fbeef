//! Volume: how much is traded, and on which side.

use crate::Feature;
use crate::ops::{c, lag, mean, sum, where_above_zero};
use polars::prelude::{Expr, lit};

pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        id: "volume_ratio_20",
        group: "volume",
        formula: "V[t] / mean(V[t-19..t]); missing when nothing was traded",
        parameters: &[("n", 20)],
        warm_up: 19,
        needs: &["volume"],
        source: "Karpoff, Journal of Financial and Quantitative Analysis 22 (1987) 109-126",
        expr: |p| c("volume") / mean(c("volume"), p[0]),
    },
    Feature {
        id: "money_flow_14",
        group: "volume",
        formula: "share of typical price (H+L+C)/3 times V that fell on days on which the typical price rose, of those on which it moved, over 14 bars",
        parameters: &[("n", 14)],
        warm_up: 14,
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
        needs: &["close", "volume"],
        source: "Granville, New Key to Stock Market Profits (1963)",
        expr: |p| {
            let change = c("close") - lag(c("close"), 1);
            let part = |sign: Expr| sum(where_above_zero(sign, c("volume")), p[0]);
            (part(change.clone()) - part(lit(0.0) - change)) / sum(c("volume"), p[0])
        },
    },
];
