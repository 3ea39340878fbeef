//! Cross-sectional: a symbol among the others of its universe on the same day. The universe of a day
//! are the symbols computed together that have a bar and a value on it, three at the least; who
//! comes later or has left changes nothing.

use crate::ops::{c, correlation, covariance, mean, moments, r, window2};
use crate::{CLOSE_OF_BAR, Feature};
use chrono::NaiveDate;
use polars::prelude::Expr;
use std::collections::BTreeMap;

/// Symbols with a value on a day below which a place among them says nothing.
pub(crate) const LEAST: usize = 3;

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
        group: "cross_sectional",
        formula,
        parameters,
        warm_up,
        known_at: CLOSE_OF_BAR,
        needs,
        source,
        expr,
    }
}

const RANKS: &str = "Gu, Kelly & Xiu, Review of Financial Studies 33 (2020) 2223-2273";
const REVERSAL: &str = "Lehmann, Quarterly Journal of Economics 105 (1990) 1-28";
const MARKET: &[&str] = &["close", "mean of log_return_1"];
const BETA: &str = "Sharpe, Journal of Finance 19 (1964) 425-442";

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "rank_return_5",
        "rank of log_return_5 among the symbols of the day, (rank - 0.5) / n, equal values share theirs",
        &[],
        5,
        &["rank of log_return_5"],
        RANKS,
        |_| c("rank of log_return_5"),
    ),
    feature(
        "rank_return_20",
        "rank of log_return_20 among the symbols of the day, (rank - 0.5) / n",
        &[],
        20,
        &["rank of log_return_20"],
        RANKS,
        |_| c("rank of log_return_20"),
    ),
    feature(
        "rank_momentum_252_skip_21",
        "rank of momentum_252_skip_21 among the symbols of the day, (rank - 0.5) / n",
        &[],
        252,
        &["rank of momentum_252_skip_21"],
        "Jegadeesh & Titman, Journal of Finance 48 (1993) 65-91",
        |_| c("rank of momentum_252_skip_21"),
    ),
    feature(
        "rank_volatility_60",
        "rank of log_volatility_60 among the symbols of the day, (rank - 0.5) / n",
        &[],
        60,
        &["rank of log_volatility_60"],
        "Ang, Hodrick, Xing & Zhang, Journal of Finance 61 (2006) 259-299",
        |_| c("rank of log_volatility_60"),
    ),
    feature(
        "rank_volume_ratio_20",
        "rank of volume_ratio_20 among the symbols of the day, (rank - 0.5) / n",
        &[],
        19,
        &["rank of volume_ratio_20"],
        "Gervais, Kaniel & Mingelgrin, Journal of Finance 56 (2001) 877-919",
        |_| c("rank of volume_ratio_20"),
    ),
    feature(
        "zscore_return_1",
        "(log_return_1 - its mean over the symbols of the day) / its standard deviation (n) over them",
        &[],
        1,
        &[
            "log_return_1",
            "mean of log_return_1",
            "deviation of log_return_1",
        ],
        REVERSAL,
        |_| (c("log_return_1") - c("mean of log_return_1")) / c("deviation of log_return_1"),
    ),
    feature(
        "zscore_return_20",
        "(log_return_20 - its mean over the symbols of the day) / its standard deviation (n) over them",
        &[],
        20,
        &[
            "log_return_20",
            "mean of log_return_20",
            "deviation of log_return_20",
        ],
        REVERSAL,
        |_| (c("log_return_20") - c("mean of log_return_20")) / c("deviation of log_return_20"),
    ),
    feature(
        "relative_strength_60",
        "log_return_60 - its mean over the symbols of the day",
        &[],
        60,
        &["log_return_60", "mean of log_return_60"],
        "Levy, Journal of Finance 22 (1967) 595-610",
        |_| c("log_return_60") - c("mean of log_return_60"),
    ),
    feature(
        "beta_120",
        "covariance of r and m / variance of m over 120 bars, m the mean of r over the symbols of the day",
        &[("n", 120)],
        120,
        MARKET,
        BETA,
        |p| {
            window2(r(), c("mean of log_return_1"), p[0], |r, m| {
                covariance(r, m) / moments(m).1
            })
        },
    ),
    feature(
        "market_correlation_120",
        "correlation of r and m over 120 bars, m the mean of r over the symbols of the day",
        &[("n", 120)],
        120,
        MARKET,
        BETA,
        |p| window2(r(), c("mean of log_return_1"), p[0], correlation),
    ),
    feature(
        "own_volatility_120",
        "ln of the standard deviation (n) of what is left of r after its regression on m over 120 bars; missing when nothing is left",
        &[("n", 120)],
        120,
        MARKET,
        "Ang, Hodrick, Xing & Zhang, Journal of Finance 61 (2006) 259-299",
        |p| {
            window2(r(), c("mean of log_return_1"), p[0], |r, m| {
                let (mean_m, variance_m) = moments(m);
                let (mean_r, _) = moments(r);
                let beta = covariance(r, m) / variance_m;
                let rest = r
                    .iter()
                    .zip(m)
                    .map(|(r, m)| r - mean_r - beta * (m - mean_m));
                0.5 * (rest.map(|e| e * e).sum::<f64>() / r.len() as f64).ln()
            })
        },
    ),
    feature(
        "return_dispersion_20",
        "mean over 20 bars of the standard deviation (n) of r over the symbols of the day",
        &[("n", 20)],
        20,
        &["deviation of log_return_1"],
        "Stivers & Sun, Journal of Financial and Quantitative Analysis 45 (2010) 987-1014",
        |p| mean(c("deviation of log_return_1"), p[0]),
    ),
];

/// What a symbol's value becomes beside those of the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beside {
    Rank,
    Mean,
    Deviation,
}

impl Beside {
    /// The kind and the feature that a column is made of: `rank of log_return_5`.
    pub(crate) fn parse(column: &str) -> Option<(Self, &str)> {
        let (kind, feature) = column.split_once(" of ")?;
        let kind = match kind {
            "rank" => Self::Rank,
            "mean" => Self::Mean,
            "deviation" => Self::Deviation,
            _ => return None,
        };
        crate::find(feature).map(|_| (kind, feature))
    }
}

/// The bars of several symbols, day by day.
pub(crate) struct Universe {
    /// Of each day the symbols and their rows, in the order of the symbols.
    days: Vec<Vec<(usize, usize)>>,
    rows: Vec<usize>,
}

impl Universe {
    pub(crate) fn new(dates: &[&[NaiveDate]]) -> Self {
        let mut days: BTreeMap<NaiveDate, Vec<(usize, usize)>> = BTreeMap::new();
        for (symbol, dates) in dates.iter().enumerate() {
            for (row, day) in dates.iter().enumerate() {
                days.entry(*day).or_default().push((symbol, row));
            }
        }
        Self {
            days: days.into_values().collect(),
            rows: dates.iter().map(|d| d.len()).collect(),
        }
    }

    /// The columns of all symbols made of their values; `None` for a symbol that has no such values.
    pub(crate) fn columns(&self, kind: Beside, values: &[Option<&[f64]>]) -> Vec<Option<Vec<f64>>> {
        let mut out: Vec<Option<Vec<f64>>> = values
            .iter()
            .zip(&self.rows)
            .map(|(v, rows)| v.map(|_| vec![f64::NAN; *rows]))
            .collect();
        let mut there: Vec<(f64, usize, usize)> = Vec::new();
        for day in &self.days {
            there.clear();
            there.extend(day.iter().filter_map(|&(symbol, row)| {
                let value = values[symbol]?[row];
                value.is_finite().then_some((value, symbol, row))
            }));
            if there.len() < LEAST {
                continue;
            }
            let n = there.len() as f64;
            let mean = there.iter().map(|(v, ..)| v).sum::<f64>() / n;
            let mut put = |symbol: usize, row: usize, value: f64| {
                if let Some(column) = &mut out[symbol] {
                    column[row] = value;
                }
            };
            match kind {
                Beside::Mean => there.iter().for_each(|&(_, s, row)| put(s, row, mean)),
                Beside::Deviation => {
                    let squares: f64 = there.iter().map(|(v, ..)| (v - mean).powi(2)).sum();
                    let deviation = (squares / n).sqrt();
                    there.iter().for_each(|&(_, s, row)| put(s, row, deviation));
                }
                Beside::Rank => {
                    there.sort_by(|a, b| a.0.total_cmp(&b.0));
                    for same in there.chunk_by(|a, b| a.0 == b.0).scan(0, |before, same| {
                        let start = *before;
                        *before += same.len();
                        Some((start, same))
                    }) {
                        let (start, same) = same;
                        let rank = (start as f64 + same.len() as f64 / 2.0) / n;
                        same.iter().for_each(|&(_, s, row)| put(s, row, rank));
                    }
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_among_those_present() {
        let day = |d| NaiveDate::from_ymd_opt(2008, 10, d).unwrap();
        let (long, late) = ([day(1), day(2)], [day(2)]);
        let universe = Universe::new(&[&long, &long, &long, &late, &long]);
        let values: [Option<&[f64]>; 5] = [
            Some(&[1.0, 5.0]),
            Some(&[2.0, 5.0]),
            Some(&[f64::NAN, 1.0]),
            Some(&[7.0]),
            None,
        ];
        let rank = universe.columns(Beside::Rank, &values);
        // On the first day only two have a value; on the second 1 < 5 = 5 < 7.
        assert!(rank[0].as_ref().unwrap()[0].is_nan());
        let second = |s: usize| *rank[s].as_ref().unwrap().last().unwrap();
        assert_eq!([0, 1, 2, 3].map(second), [0.5, 0.5, 0.125, 0.875]);
        assert!(rank[4].is_none());
        // Mean 4.5, squares of the distances 0.25, 0.25, 12.25, 6.25.
        let mean = universe.columns(Beside::Mean, &values);
        assert_eq!(mean[3], Some(vec![4.5]));
        let deviation = universe.columns(Beside::Deviation, &values);
        assert_eq!(deviation[2].as_ref().unwrap()[1], 4.75f64.sqrt());
    }
}
