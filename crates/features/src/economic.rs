//! Economic: what the options market expects (VIX), oil, the credit market, prices, output and work,
//! joined as of the close of the bar. A figure takes part from the day on which it was known, until
//! it is older than its series leaves between two releases.

use crate::Feature;
use crate::ops::{c, lag, ln, mean, square};
use chrono::NaiveDate;
use mltrainer_data::series::Series;
use polars::prelude::{Expr, lit};

/// A column made of a series.
pub(crate) struct Macro {
    /// Name of the column, also in the list of what a feature needs.
    pub(crate) column: &'static str,
    /// The series.
    pub(crate) series: &'static str,
    /// What the series is called in a sentence.
    pub(crate) title: &'static str,
    /// Observations of the series before the newest known one.
    back: usize,
    /// Calendar days after which the newest known figure is too old to be called known: what lies
    /// between its date and the release of the next one, and some days more, so that a series that
    /// has ended is not carried on.
    max_age: i64,
}

const fn column(
    column: &'static str,
    series: &'static str,
    title: &'static str,
    back: usize,
    max_age: i64,
) -> Macro {
    Macro {
        column,
        series,
        title,
        back,
        max_age,
    }
}

const BAA: (&str, &str) = ("BAA", "the yield of Baa bonds");
const AAA: (&str, &str) = ("AAA", "the yield of Aaa bonds");
const CORE: (&str, &str) = ("CPILFESL", "the core consumer price index");
const BILL: (&str, &str) = ("MACRO_TBILRATE", "the treasury bill rate");
const GDP: (&str, &str) = ("MACRO_REALGDP", "real gross domestic product");
const JOBS: (&str, &str) = ("MACRO_UNEMP", "the unemployment rate");
const MONEY: (&str, &str) = ("MACRO_M1", "the money stock");
/// A monthly yield is dated at the start of its month and published some days after its end.
const YIELD_AGE: i64 = 85;
/// A monthly index is published some two weeks after the end of its month.
const INDEX_AGE: i64 = 120;
/// A quarterly figure is dated at the end of its quarter and taken as known 120 days later.
const QUARTER_AGE: i64 = 220;

/// Every column that is made of a series.
pub(crate) const MACROS: &[Macro] = &[
    column("vix", "VIXCLS", "the VIX", 0, 7),
    column("oil", "DCOILWTICO", "the oil price", 0, 10),
    column(
        "slope_10y_2y",
        "T10Y2Y",
        "the slope of treasury yields",
        0,
        10,
    ),
    column("baa", BAA.0, BAA.1, 0, YIELD_AGE),
    column("baa_3", BAA.0, BAA.1, 3, YIELD_AGE),
    column("baa_12", BAA.0, BAA.1, 12, YIELD_AGE),
    column("aaa", AAA.0, AAA.1, 0, YIELD_AGE),
    column("aaa_3", AAA.0, AAA.1, 3, YIELD_AGE),
    column("aaa_12", AAA.0, AAA.1, 12, YIELD_AGE),
    column("core_cpi", CORE.0, CORE.1, 0, INDEX_AGE),
    column("core_cpi_3", CORE.0, CORE.1, 3, INDEX_AGE),
    column("core_cpi_12", CORE.0, CORE.1, 12, INDEX_AGE),
    column("core_cpi_24", CORE.0, CORE.1, 24, INDEX_AGE),
    column("bill", BILL.0, BILL.1, 0, QUARTER_AGE),
    column("bill_4", BILL.0, BILL.1, 4, QUARTER_AGE),
    column(
        "real_bill",
        "MACRO_REALINT",
        "the real interest rate",
        0,
        QUARTER_AGE,
    ),
    column("gdp", GDP.0, GDP.1, 0, QUARTER_AGE),
    column("gdp_1", GDP.0, GDP.1, 1, QUARTER_AGE),
    column("gdp_2", GDP.0, GDP.1, 2, QUARTER_AGE),
    column("gdp_4", GDP.0, GDP.1, 4, QUARTER_AGE),
    column("unemployment", JOBS.0, JOBS.1, 0, QUARTER_AGE),
    column("unemployment_4", JOBS.0, JOBS.1, 4, QUARTER_AGE),
    column("money", MONEY.0, MONEY.1, 0, QUARTER_AGE),
    column("money_4", MONEY.0, MONEY.1, 4, QUARTER_AGE),
];

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
        group: "economic",
        formula,
        parameters,
        warm_up,
        known_at: crate::RELEASE,
        needs,
        source,
        expr,
    }
}

const WHALEY: &str = "Whaley, Journal of Derivatives 1 (1993) 71-84; FRED series VIXCLS";
const OIL: &str = "Driesprong, Jacobsen & Maat, Journal of Financial Economics 89 (2008) 307-327; FRED series DCOILWTICO";
const CREDIT: &str =
    "Fama & French, Journal of Financial Economics 25 (1989) 23-49; FRED series BAA and AAA";
const INFLATION: &str =
    "Fama & Schwert, Journal of Financial Economics 5 (1977) 115-146; FRED series CPILFESL";
const ACTIVITY: &str =
    "Chen, Roll & Ross, Journal of Business 59 (1986) 383-403; FRED series as of December 2009";

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "vix_log",
        "ln(VIX / 100) as known at bar t",
        &[],
        0,
        &["vix"],
        WHALEY,
        |_| ln(c("vix") / lit(100.0)),
    ),
    feature(
        "vix_change_1",
        "ln(VIX / VIX as known one bar before)",
        &[("n", 1)],
        1,
        &["vix"],
        WHALEY,
        |p| change("vix", p[0]),
    ),
    feature(
        "vix_change_5",
        "ln(VIX / VIX as known five bars before)",
        &[("n", 5)],
        5,
        &["vix"],
        WHALEY,
        |p| change("vix", p[0]),
    ),
    feature(
        "vix_ratio_60",
        "ln(VIX / mean of VIX as known at the last 60 bars)",
        &[("n", 60)],
        59,
        &["vix"],
        WHALEY,
        |p| ln(c("vix") / mean(c("vix"), p[0])),
    ),
    feature(
        "variance_premium_20",
        "(VIX / 100)^2 / 252 - mean(r[t-19..t]^2), times 10,000",
        &[("n", 20)],
        20,
        &["vix", "close"],
        "Bollerslev, Tauchen & Zhou, Review of Financial Studies 22 (2009) 4463-4492",
        |p| {
            let expected = square(c("vix") / lit(100.0)) / lit(252.0);
            (expected - mean(square(crate::ops::r()), p[0])) * lit(10_000.0)
        },
    ),
    feature(
        "oil_change_5",
        "ln(oil / oil as known five bars before)",
        &[("n", 5)],
        5,
        &["oil"],
        OIL,
        |p| change("oil", p[0]),
    ),
    feature(
        "oil_change_20",
        "ln(oil / oil as known 20 bars before)",
        &[("n", 20)],
        20,
        &["oil"],
        OIL,
        |p| change("oil", p[0]),
    ),
    feature(
        "credit_spread",
        "yield of Baa less that of Aaa bonds, points, as known at bar t",
        &[],
        0,
        &["baa", "aaa"],
        CREDIT,
        |_| c("baa") - c("aaa"),
    ),
    feature(
        "credit_spread_change_3",
        "the spread less that of three months before, as known at bar t",
        &[("months", 3)],
        0,
        &["baa", "aaa", "baa_3", "aaa_3"],
        CREDIT,
        |_| c("baa") - c("aaa") - (c("baa_3") - c("aaa_3")),
    ),
    feature(
        "aaa_change_3",
        "yield of Aaa bonds less that of three months before, points, as known at bar t",
        &[("months", 3)],
        0,
        &["aaa", "aaa_3"],
        CREDIT,
        |_| c("aaa") - c("aaa_3"),
    ),
    feature(
        "yield_slope",
        "yield of Aaa bonds less the three-month treasury bill, points, as known at bar t",
        &[],
        0,
        &["aaa", "bill"],
        CREDIT,
        |_| c("aaa") - c("bill"),
    ),
    feature(
        "yield_slope_10y_2y",
        "ten-year less two-year treasury yield, points, as known at bar t",
        &[],
        0,
        &["slope_10y_2y"],
        "Estrella & Hardouvelis, Journal of Finance 46 (1991) 555-576; FRED series T10Y2Y",
        |_| c("slope_10y_2y"),
    ),
    feature(
        "core_inflation_12",
        "100 ln(core prices / those of 12 months before), as known at bar t",
        &[("months", 12)],
        0,
        &["core_cpi", "core_cpi_12"],
        INFLATION,
        |_| growth("core_cpi", "core_cpi_12"),
    ),
    feature(
        "core_inflation_surge",
        "400 ln(core prices / those of 3 months before) less core_inflation_12",
        &[("months", 3)],
        0,
        &["core_cpi", "core_cpi_3", "core_cpi_12"],
        INFLATION,
        |_| growth("core_cpi", "core_cpi_3") * lit(4.0) - growth("core_cpi", "core_cpi_12"),
    ),
    feature(
        "bill_change_4",
        "three-month treasury bill less that of four quarters before, points, as known at bar t",
        &[("quarters", 4)],
        0,
        &["bill", "bill_4"],
        "Campbell, Journal of Financial Economics 18 (1987) 373-399; FRED series TB3MS as of December 2009",
        |_| c("bill") - c("bill_4"),
    ),
    feature(
        "real_rate",
        "three-month treasury bill less inflation, percent a year, as known at bar t",
        &[],
        0,
        &["real_bill"],
        ACTIVITY,
        |_| c("real_bill"),
    ),
    feature(
        "output_growth_4",
        "100 ln(real gross domestic product / that of four quarters before), as known at bar t",
        &[("quarters", 4)],
        0,
        &["gdp", "gdp_4"],
        ACTIVITY,
        |_| growth("gdp", "gdp_4"),
    ),
    feature(
        "unemployment_change_4",
        "unemployment rate less that of four quarters before, points, as known at bar t",
        &[("quarters", 4)],
        0,
        &["unemployment", "unemployment_4"],
        "Boyd, Hu & Jagannathan, Journal of Finance 60 (2005) 649-672; FRED series UNRATE as of December 2009",
        |_| c("unemployment") - c("unemployment_4"),
    ),
    feature(
        "money_growth_4",
        "100 ln(M1 / that of four quarters before), as known at bar t",
        &[("quarters", 4)],
        0,
        &["money", "money_4"],
        "Fama, American Economic Review 71 (1981) 545-565; FRED series M1 as of December 2009",
        |_| growth("money", "money_4"),
    ),
];

fn change(column: &str, n: usize) -> Expr {
    ln(c(column) / lag(c(column), n))
}

fn growth(now: &str, before: &str) -> Expr {
    ln(c(now) / c(before)) * lit(100.0)
}

impl Macro {
    /// For each day the figure known by then, NaN where there is none that is fresh enough.
    pub(crate) fn as_of(&self, days: &[NaiveDate], series: &Series) -> Vec<f64> {
        days.iter()
            .zip(series.as_of(days))
            .map(|(day, known)| {
                let Some((date, value)) = known else {
                    return f64::NAN;
                };
                if (*day - date).num_days() > self.max_age {
                    return f64::NAN;
                }
                if self.back == 0 {
                    return value;
                }
                // An older figure may have come out later than the newest: then it is not known.
                series
                    .dates
                    .partition_point(|d| *d < date)
                    .checked_sub(self.back)
                    .filter(|row| series.known_at[*row] <= *day)
                    .map_or(f64::NAN, |row| series.values[row])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2008, m, d).unwrap()
    }

    #[test]
    fn as_of_takes_what_was_known_and_nothing_stale() {
        let series = Series {
            id: "VIXCLS".into(),
            dates: vec![day(10, 1), day(10, 2), day(10, 3)],
            known_at: vec![day(10, 2), day(10, 3), day(10, 6)],
            values: vec![40.0, 45.0, 46.0],
        };
        let days = [1, 2, 3, 4, 6, 10, 11].map(|d| day(10, d));
        let found = MACROS[0].as_of(&days, &series);
        assert!(found[0].is_nan() && found[6].is_nan());
        assert_eq!(found[1..6], [40.0, 45.0, 45.0, 46.0, 46.0]);
    }

    #[test]
    fn a_change_takes_two_figures_that_were_both_known() {
        let series = Series {
            id: "X".into(),
            dates: vec![day(1, 1), day(2, 1), day(3, 1)],
            // The figure for February came out after the one for March.
            known_at: vec![day(2, 14), day(4, 20), day(4, 15)],
            values: vec![1.0, 2.0, 3.0],
        };
        let before = column("x_1", "X", "X", 1, 120);
        let days = [day(2, 14), day(4, 15), day(4, 20)];
        let found = before.as_of(&days, &series);
        assert!(found[0].is_nan() && found[1].is_nan());
        assert_eq!(found[2], 2.0);
    }
}
