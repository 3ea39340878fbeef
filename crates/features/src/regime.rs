//! Regime: in which state of volatility, trend, volume and economy the market is, by what was known
//! then. The bounds are those of the bar's own past, never of the whole span.

use crate::ops::{c, flag, lag, larger, ln, log_root_mean, max, mean, r, square, third};
use crate::{CLOSE_OF_BAR, Feature, RELEASE};
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
        group: "regime",
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
        "volatility_regime",
        "third of the last 252 values of log_volatility_20 in which the newest lies: 0 calm, 1, 2 turbulent",
        &[("volatility", 20), ("n", 252)],
        271,
        CLOSE,
        "Ang & Timmermann, Annual Review of Financial Economics 4 (2012) 313-337",
        |p| third(log_root_mean(square(r()), p[0]), p[1]),
    ),
    feature(
        "trend_regime",
        "1 when mean(C, 50 bars) > mean(C, 200 bars) and C > mean(C, 200 bars), -1 when both are below, else 0",
        &[("fast", 50), ("slow", 200)],
        199,
        CLOSE,
        "Brock, Lakonishok & LeBaron, Journal of Finance 47 (1992) 1731-1764",
        |p| {
            let (fast, slow) = (mean(c("close"), p[0]), mean(c("close"), p[1]));
            let up = |a: Expr, b: Expr| flag(a.gt(b));
            up(fast.clone(), slow.clone()) * up(c("close"), slow.clone())
                - up(slow.clone(), fast) * up(slow, c("close"))
        },
    ),
    feature(
        "volume_regime",
        "third of the last 252 values of mean(V, 20 bars) in which the newest lies: 0 quiet, 1, 2 busy",
        &[("volume", 20), ("n", 252)],
        270,
        &["volume"],
        "Gervais, Kaniel & Mingelgrin, Journal of Finance 56 (2001) 877-919",
        |p| third(mean(c("volume"), p[0]), p[1]),
    ),
    feature(
        "bear_market",
        "1 while C is 20 % or more below the highest close of 252 bars, else 0",
        &[("n", 252)],
        251,
        CLOSE,
        "Pagan & Sossounov, Journal of Applied Econometrics 18 (2003) 23-46",
        |p| flag(c("close").lt_eq(max(c("close"), p[0]) * lit(0.8))),
    ),
    feature(
        "up_down_regime",
        "1 when C[t] > C[t-252], else 0: the state of the market by its last twelve months",
        &[("n", 252)],
        252,
        CLOSE,
        "Cooper, Gutierrez & Hameed, Journal of Finance 59 (2004) 1345-1365",
        |p| flag(c("close").gt(lag(c("close"), p[0]))),
    ),
    Feature {
        known_at: RELEASE,
        ..feature(
            "credit_regime",
            "1 when the spread of Baa over Aaa yields is wider than 12 months before, as known at bar t, else 0",
            &[("months", 12)],
            0,
            &["baa", "aaa", "baa_12", "aaa_12"],
            "Fama & French, Journal of Financial Economics 25 (1989) 23-49; FRED series BAA and AAA",
            |_| flag((c("baa") - c("aaa")).gt(c("baa_12") - c("aaa_12"))),
        )
    },
    Feature {
        known_at: RELEASE,
        ..feature(
            "inflation_regime",
            "1 when core inflation over 12 months is higher than 12 months before, as known at bar t, else 0",
            &[("months", 12)],
            0,
            &["core_cpi", "core_cpi_12", "core_cpi_24"],
            "Boudoukh & Richardson, American Economic Review 83 (1993) 1346-1355; FRED series CPILFESL",
            |_| {
                let year = |now, before| ln(c(now) / c(before));
                flag(year("core_cpi", "core_cpi_12").gt(year("core_cpi_12", "core_cpi_24")))
            },
        )
    },
    Feature {
        known_at: RELEASE,
        ..feature(
            "recession_regime",
            "1 when real gross domestic product fell in the two newest quarters known at bar t, else 0",
            &[("quarters", 2)],
            0,
            &["gdp", "gdp_1", "gdp_2"],
            "Hamilton, Econometrica 57 (1989) 357-384; two falling quarters in place of his filter",
            |_| {
                let last = larger(c("gdp") - c("gdp_1"), c("gdp_1") - c("gdp_2"));
                when(last.clone().lt(lit(0.0)))
                    .then(lit(1.0))
                    .when(last.gt_eq(lit(0.0)))
                    .then(lit(0.0))
                    .otherwise(lit(NULL))
            },
        )
    },
];
