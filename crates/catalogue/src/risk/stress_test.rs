//! Stress test.
//!
//! What: how a portfolio came through the crises that its prices cover, and what a shock of the market means for
//! it: return, drawdown, worst day, recovery, correlations in and out of each crisis.
//! Formula: returns replayed with today's weights; shock times beta.
//! Data: prices of one or several assets, with dates.
//! Cost: O(rows assets²) a crisis.
//! Fails when: the assets of today were others in the crisis, or its like has not been seen.
//! Source: Jorion (2007); Forbes, Rigobon (2002).
//! Not claimed: a probability.

use super::engine::{Input, changes, covariance, mean, variance};
use super::metrics::drawdown;
use super::quantiles::normal_quantile;
use crate::distributions::normal_two_sided;
use crate::test::engine::{named, number};
use crate::time_series::dates::{parse, text};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::params::{ParamType, Range};
use mltrainer_catalogue_core::{
    Analysis, Ask, Card, Entry, FitError, Inputs, Outputs, ParamError, SeriesTable, choices, params,
};
use mltrainer_types::catalogue::{ParamKind, Task};
use serde_json::{Value, json};

/// The handle.
pub struct StressTest;

/// The registration. The suite hands in one asset; with cash beside it rebalancing matters.
pub const ENTRY: Entry = Entry::analysis::<StressTest>().tested_with(&[("weights", "0.5")]);

choices! {
    /// What happens to the weights within a crisis.
    pub enum Rebalancing {
        /// They drift with the prices.
        None = "none",
        /// Back to the given ones every row.
        Daily = "daily",
    }
}

params! {
    /// Parameters of the stress test.
    pub struct StressTestParams {
        /// Weights of the columns, in order; none: equal ones with sum 1. What is missing to 1 is cash without
        /// interest.
        weights: Option<Vec<f64>> = None, within(-100.0, 100.0);
        /// What happens to the weights within a crisis.
        rebalancing: Rebalancing = Rebalancing::None;
        /// Betas of the columns to the market, in order; none: estimated to the first column from all rows.
        betas: Option<Vec<f64>> = None, within(-1_000.0, 1_000.0);
        /// Returns of the market to see through, fractions.
        shocks: Vec<f64> = vec![-0.05, -0.1, -0.2, -0.3, -0.4], within(-1.0, 10.0);
        /// Crises of one's own beside those that are known: name:first day,last day; several joined with a
        /// semicolon.
        crises: Option<Crises> = None;
        /// Rows a year.
        periods_per_year: f64 = 252.0, above(0.0);
    }
}

const CARD: Card = Card {
    id: "stress_test",
    family: "risk",
    title: "Stress test",
    tasks: &[Task::Test],
    inputs: Inputs::Series,
    summary: "Replays the crises that the prices cover with the weights of today: return, largest drawdown, worst day, days to recover, beta and correlations in the crisis and outside it; and translates shocks of the market by beta. Crises that the data do not cover are named.",
    formula: "a crisis goes from the last row on or before its first day to the last row on or before its last; portfolio return = Σ w (gross return) less what was put in, or with rebalancing=daily the product of Σ w r + 1; shock of an asset = beta times that of the market, not under -1; correlation break: difference of Fisher's z with standard error √(1/(n_in - 3) + 1/(n_out - 3))",
    data: "Prices of one or several assets, a row a day, with dates.",
    cost: "O(rows assets²) a crisis",
    fails_when: "The assets were others in the crisis, betas change in a crisis, or its like has not been seen. Correlations rise with volatility alone, so a break need not be one (Forbes & Rigobon).",
    not_claimed: "A probability, or that the next crisis is like one of these.",
    source: "P. Jorion, Value at Risk (2007), ch. 14; K. Forbes, R. Rigobon, J. Finance 57 (2002)",
    reference: "replay of real crises, computed with pandas",
    outputs: &[
        (
            "crises",
            "one an object: name, from, to, covered, why not; when covered: rows, return, max_drawdown, worst_day, worst_day_return, volatility, volatility_outside, days_to_trough, days_to_recover (calendar days from the trough to the value before the crisis; null when the data end before), recovered, returns by asset, beta, beta_outside, correlation and correlation_outside (means over pairs), correlation_breaks (pair, inside, outside, z, p_value)",
        ),
        ("covered", "names of the crises replayed"),
        ("not_covered", "names of those outside the data"),
        (
            "worst_crisis",
            "the one with the lowest return; null when none is covered",
        ),
        (
            "betas",
            "by asset: given, or estimated on the market over all rows; null for a market that does not vary",
        ),
        ("portfolio_beta", "weights times betas"),
        (
            "shocks",
            "one an object: market (its return), portfolio, assets by name",
        ),
        ("weights", "by asset"),
        (
            "concentration",
            "sum of the squared shares of the absolute weights: 1 is one asset",
        ),
        (
            "worst_day",
            "date of the lowest portfolio return of all rows",
        ),
        (
            "worst_day_return",
            "that return, with the weights at its start",
        ),
        ("volatility", "of the portfolio over all rows, a year"),
        (
            "value_at_risk_99",
            "mean and 2.33 deviations of the portfolio's daily return, for comparison",
        ),
    ],
    stochastic: false,
    evidence: &[Evidence {
        against: "pandas 3.1: the same windows computed by hand",
        cases: "S&P 500 1999-2018 over the eight crises it covers; five shares over a window of one's own",
        tolerance: "1e-10",
    }],
    presets: &[],
    exemptions: &[],
};

/// Name, first and last day: peaks and troughs of the S&P 500, or the days of an event.
const KNOWN: [(&str, &str, &str); 15] = [
    ("black_monday_1987", "1987-08-25", "1987-12-04"),
    ("gulf_war_1990", "1990-07-16", "1990-10-11"),
    ("asian_crisis_1997", "1997-10-07", "1997-10-27"),
    ("russia_ltcm_1998", "1998-07-17", "1998-08-31"),
    ("dot_com_2000", "2000-03-24", "2002-10-09"),
    ("september_11_2001", "2001-09-10", "2001-09-21"),
    ("financial_crisis_2008", "2007-10-09", "2009-03-09"),
    ("lehman_2008", "2008-09-12", "2008-11-20"),
    ("flash_crash_2010", "2010-04-23", "2010-07-02"),
    ("debt_downgrade_2011", "2011-07-22", "2011-10-03"),
    ("china_2015", "2015-08-17", "2015-08-25"),
    ("fourth_quarter_2018", "2018-09-20", "2018-12-24"),
    ("covid_2020", "2020-02-19", "2020-03-23"),
    ("inflation_2022", "2022-01-03", "2022-10-12"),
    ("tariffs_2025", "2025-02-19", "2025-04-08"),
];

/// A crisis: name, first and last day counted from 1970-01-01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crisis {
    name: String,
    from: i64,
    to: i64,
}

impl Crisis {
    fn new(name: &str, from: &str, to: &str) -> Option<Self> {
        let (name, from, to) = (name.trim().to_owned(), parse(from)?, parse(to)?);
        (from < to && !name.is_empty()).then_some(Self { name, from, to })
    }
}

/// Crises by name and days, as a parameter: `name:first day,last day`, several joined with `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crises(Vec<Crisis>);

impl ParamType for Crises {
    const KIND: ParamKind = ParamKind::Text;

    fn read(value: &Value, _: &Range) -> Result<Self, String> {
        let text = value.as_str().unwrap_or_default();
        let mut all: Vec<Crisis> = Vec::new();
        for one in text.split(';') {
            let read = || {
                let (name, days) = one.split_once(':')?;
                let (from, to) = days.split_once(',')?;
                Crisis::new(name, from, to)
            };
            let crisis = read().ok_or_else(|| {
                format!("{value} is not name:first day,last day, such as brexit:2016-06-23,2016-06-27, the first before the last")
            })?;
            let known = KNOWN.iter().any(|(name, _, _)| *name == crisis.name);
            if known || all.iter().any(|c| c.name == crisis.name) {
                return Err(format!("there is a crisis {} already", crisis.name));
            }
            all.push(crisis);
        }
        Ok(Self(all))
    }

    fn write(&self) -> Value {
        let one = |c: &Crisis| format!("{}:{},{}", c.name, text(c.from as f64), text(c.to as f64));
        Value::from(self.0.iter().map(one).collect::<Vec<String>>().join(";"))
    }
}

fn refused(field: &str, reason: String) -> FitError {
    FitError::Param(ParamError {
        field: field.into(),
        reason,
        suggestions: Vec::new(),
    })
}

/// Prices, their returns and days.
struct Past<'a> {
    names: &'a [String],
    days: &'a [f64],
    prices: Vec<Vec<f64>>,
    returns: Vec<Vec<f64>>,
    weights: Vec<f64>,
    daily: bool,
    periods_per_year: f64,
}

impl Past<'_> {
    /// The value of 1 put in at the row before `rows` of returns, after each of them.
    fn value(&self, rows: std::ops::Range<usize>) -> Vec<f64> {
        let mut value = 1.0;
        let cash = 1.0 - self.weights.iter().sum::<f64>();
        rows.clone()
            .map(|t| {
                let assets = self
                    .weights
                    .iter()
                    .zip(self.returns.iter().zip(&self.prices));
                if self.daily {
                    let r: f64 = assets.map(|(w, (r, _))| w * r[t]).sum();
                    value *= 1.0 + r;
                } else {
                    // A return of row t leads from price t to price t + 1.
                    let held: f64 = assets.map(|(w, (_, p))| w * p[t + 1] / p[rows.start]).sum();
                    value = cash + held;
                }
                value
            })
            .collect()
    }

    /// Returns of the value with the weights of its start.
    fn portfolio(&self, rows: std::ops::Range<usize>) -> Vec<f64> {
        let value = self.value(rows);
        let before = std::iter::once(&1.0).chain(&value);
        value
            .iter()
            .zip(before)
            .map(|(now, before)| now / before - 1.0)
            .collect()
    }

    /// Returns with the given weights each row.
    fn steady(&self) -> Vec<f64> {
        let rows = self.returns.first().map_or(0, Vec::len);
        (0..rows)
            .map(|t| {
                self.weights
                    .iter()
                    .zip(&self.returns)
                    .map(|(w, r)| w * r[t])
                    .sum()
            })
            .collect()
    }

    fn replay(&self, c: &Crisis) -> Value {
        let head = |covered: bool, reason: Value| {
            json!({"name": c.name, "from": text(c.from as f64), "to": text(c.to as f64),
                "covered": covered, "reason": reason})
        };
        let (first, last) = (self.days[0], self.days[self.days.len() - 1]);
        // The last row on or before a day; parts of a day belong to it.
        let upto = |day: i64| {
            self.days
                .partition_point(|d| d.floor() <= day as f64)
                .checked_sub(1)
        };
        let (Some(start), true) = (upto(c.from), last.floor() >= c.to as f64) else {
            let why = format!("the data go from {} to {}", text(first), text(last));
            return head(false, Value::from(why));
        };
        let end = upto(c.to).unwrap_or(start);
        if end < start + 2 {
            return head(false, Value::from("there are fewer than two returns in it"));
        }
        // Returns of rows start + 1 to end: places start to end.
        let rows = start..end;
        let value = self.value(rows.clone());
        let r = self.portfolio(rows.clone());
        let fall = drawdown(&r);
        let worst = lowest(&r);
        let outside = |x: &[f64]| -> Vec<f64> {
            x[..rows.start]
                .iter()
                .chain(&x[rows.end..])
                .copied()
                .collect()
        };
        // The value goes on after the crisis; with daily rebalancing at its weights, else as it drifted.
        let later = self.value(rows.start..self.returns[0].len());
        let trough = rows.start + lowest(&value);
        let back = (trough + 1..self.returns[0].len()).find(|t| later[t - rows.start] >= 1.0);
        let lost = value[lowest(&value)] < 1.0;
        let steady = self.steady();
        let market = &self.returns[0];
        let beta = |a: &[f64], m: &[f64]| covariance(a, m) / variance(m);
        let root = self.periods_per_year.sqrt();
        let (market_in, market_out) = (&market[rows.clone()], outside(market));
        let (breaks, inside, beside) = self.breaks(&rows);
        let returns = self.prices.iter().zip(self.names);
        let returns =
            returns.map(|(p, name)| (name.as_str(), Some(p[rows.end] / p[rows.start] - 1.0)));
        let day_of = |row: usize| text(self.days[row + 1]);
        let mut told = head(true, Value::Null);
        if let Value::Object(told) = &mut told {
            for (name, v) in [
                ("rows", Value::from(r.len())),
                ("return", number(value[value.len() - 1] - 1.0)),
                ("max_drawdown", number(fall.max)),
                ("worst_day", Value::from(day_of(rows.start + worst))),
                ("worst_day_return", number(r[worst])),
                ("volatility", number(variance(&r).sqrt() * root)),
                (
                    "volatility_outside",
                    number(variance(&outside(&steady)).sqrt() * root),
                ),
                (
                    "days_to_trough",
                    number(self.days[trough + 1].floor() - self.days[rows.start].floor()),
                ),
                (
                    "days_to_recover",
                    match back {
                        Some(t) if lost => {
                            number(self.days[t + 1].floor() - self.days[trough + 1].floor())
                        }
                        _ => Value::Null,
                    },
                ),
                ("recovered", Value::from(!lost || back.is_some())),
                ("returns", named(returns)),
                ("beta", number(beta(&r, market_in))),
                ("beta_outside", number(beta(&outside(&steady), &market_out))),
                ("correlation", number(inside)),
                ("correlation_outside", number(beside)),
                ("correlation_breaks", breaks),
            ] {
                told.insert(name.into(), v);
            }
        }
        told
    }

    /// By pair of assets: correlation inside and outside, and whether they differ; and both means.
    fn breaks(&self, rows: &std::ops::Range<usize>) -> (Value, f64, f64) {
        let (mut all, mut inside, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        let correlation =
            |a: &[f64], b: &[f64]| covariance(a, b) / (variance(a) * variance(b)).sqrt();
        let outside = |x: &[f64]| -> Vec<f64> {
            x[..rows.start]
                .iter()
                .chain(&x[rows.end..])
                .copied()
                .collect()
        };
        for (i, a) in self.returns.iter().enumerate() {
            for (j, b) in self.returns.iter().enumerate().skip(i + 1) {
                let within = correlation(&a[rows.clone()], &b[rows.clone()]);
                let (rest_a, rest_b) = (outside(a), outside(b));
                let rest = correlation(&rest_a, &rest_b);
                let n = |k: usize| 1.0 / (k as f64 - 3.0);
                let error = (n(rows.len()) + n(rest_a.len())).sqrt();
                let z = (within.atanh() - rest.atanh()) / error;
                let usable = rows.len() > 3 && rest_a.len() > 3 && z.is_finite();
                let z = if usable { z } else { f64::NAN };
                inside.push(within);
                beside.push(rest);
                all.push(json!({"pair": [self.names[i], self.names[j]], "inside": number(within),
                    "outside": number(rest), "z": number(z), "p_value": number(normal_two_sided(z))}));
            }
        }
        (Value::from(all), mean(&inside), mean(&beside))
    }
}

/// Place of the lowest value, the first of equal ones.
fn lowest(x: &[f64]) -> usize {
    (0..x.len()).fold(0, |best, i| if x[i] < x[best] { i } else { best })
}

impl Analysis for StressTest {
    type Params = StressTestParams;
    const CARD: &'static Card = &CARD;
    const WIDTH: (usize, usize) = (1, usize::MAX);

    fn analyse(p: &StressTestParams, data: &SeriesTable, _: Ask) -> Result<Outputs, FitError> {
        let known = KNOWN
            .iter()
            .filter_map(|(name, from, to)| Crisis::new(name, from, to));
        let own = p.crises.iter().flat_map(|c| c.0.iter().cloned());
        let crises: Vec<Crisis> = known.chain(own).collect();
        let names = data.names();
        let width = names.len();
        let of_width = |field: &str, v: &[f64]| {
            if v.len() == width {
                return Ok(v.to_vec());
            }
            Err(refused(
                field,
                format!(
                    "there are {} for {width} columns ({}): give one a column",
                    v.len(),
                    names.join(", ")
                ),
            ))
        };
        let weights = match &p.weights {
            Some(w) => of_width("weights", w)?,
            None => vec![1.0 / width as f64; width],
        };
        let days = data.days().ok_or_else(|| {
            FitError::Data("the rows have no dates, and crises are found by date: give a column date as YYYY-MM-DD".into())
        })?;
        let prices: Vec<Vec<f64>> = (0..width).map(|k| data.series(k)).collect();
        if prices[0].len() < 4 {
            return Err(FitError::Data(format!(
                "{} rows are too few for a stress test: give at least 4",
                prices[0].len()
            )));
        }
        let returns: Vec<Vec<f64>> = prices
            .iter()
            .zip(names)
            .map(|(x, name)| changes(x, Input::Prices, 1.0, name))
            .collect::<Result<_, _>>()?;
        let past = Past {
            names,
            days,
            prices,
            returns,
            weights,
            daily: p.rebalancing == Rebalancing::Daily,
            periods_per_year: p.periods_per_year,
        };
        let market = &past.returns[0];
        let betas = match &p.betas {
            Some(b) => of_width("betas", b)?,
            None => past
                .returns
                .iter()
                .map(|r| covariance(r, market) / variance(market))
                .collect(),
        };
        let told: Vec<Value> = crises.iter().map(|c| past.replay(c)).collect();
        let of = |covered: bool| -> Vec<Value> {
            let some = told.iter().filter(|c| c["covered"] == covered);
            some.map(|c| c["name"].clone()).collect()
        };
        let worst = told
            .iter()
            .filter_map(|c| Some((c["return"].as_f64()?, &c["name"])))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map_or(Value::Null, |(_, name)| name.clone());
        let shocks: Vec<Value> = p
            .shocks
            .iter()
            .map(|shock| {
                let moved: Vec<f64> = betas.iter().map(|b| (b * shock).max(-1.0)).collect();
                let portfolio: f64 = past.weights.iter().zip(&moved).map(|(w, m)| w * m).sum();
                let assets = names
                    .iter()
                    .zip(&moved)
                    .map(|(n, m)| (n.as_str(), Some(*m)));
                json!({"market": shock, "portfolio": number(portfolio), "assets": named(assets)})
            })
            .collect();
        let steady = past.steady();
        let low = lowest(&steady);
        let size: f64 = past.weights.iter().map(|w| w.abs()).sum();
        let concentration: f64 = past.weights.iter().map(|w| (w / size).powi(2)).sum();
        let by_name = |v: &[f64]| named(names.iter().zip(v).map(|(n, v)| (n.as_str(), Some(*v))));
        let portfolio_beta: f64 = past.weights.iter().zip(&betas).map(|(w, b)| w * b).sum();
        let sd = variance(&steady).sqrt();
        Ok(Outputs::from_iter([
            ("crises".to_owned(), Value::from(told.clone())),
            ("covered".to_owned(), Value::from(of(true))),
            ("not_covered".to_owned(), Value::from(of(false))),
            ("worst_crisis".to_owned(), worst),
            ("betas".to_owned(), by_name(&betas)),
            ("portfolio_beta".to_owned(), number(portfolio_beta)),
            ("shocks".to_owned(), Value::from(shocks)),
            ("weights".to_owned(), by_name(&past.weights)),
            ("concentration".to_owned(), number(concentration)),
            ("worst_day".to_owned(), Value::from(text(days[low + 1]))),
            ("worst_day_return".to_owned(), number(steady[low])),
            (
                "volatility".to_owned(),
                number(sd * p.periods_per_year.sqrt()),
            ),
            (
                "value_at_risk_99".to_owned(),
                number(mean(&steady) + normal_quantile(0.01) * sd),
            ),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_catalogue_core::{Design, Params as _};
    use ndarray::Array2;

    /// The closes of the conformance suite: AAPL, CVX, JNJ, MRK, XOM from 2012-01-03.
    fn closes() -> SeriesTable {
        let text = include_str!("../../tests/data/closes.csv");
        let names: Vec<String> = text
            .lines()
            .next()
            .unwrap()
            .split(',')
            .skip(1)
            .map(str::to_owned)
            .collect();
        let (mut days, mut flat) = (Vec::new(), Vec::new());
        for line in text.lines().skip(1) {
            let mut cells = line.split(',');
            days.push(parse(cells.next().unwrap()).unwrap() as f64);
            flat.extend(cells.map(|c| c.parse::<f64>().unwrap()));
        }
        let x = Array2::from_shape_vec((days.len(), names.len()), flat).unwrap();
        SeriesTable::new(Design::new(x, names).unwrap(), Some(days)).unwrap()
    }

    fn run(given: Value) -> Result<Outputs, FitError> {
        let params = StressTestParams::from_map(given.as_object().unwrap())?;
        StressTest::analyse(
            &params,
            &closes(),
            Ask {
                horizon: 1,
                seed: 0,
            },
        )
    }

    /// The first output of this name in the last crisis, which is the one of one's own.
    fn own<'a>(found: &'a Outputs, name: &str) -> &'a Value {
        &found["crises"].as_array().unwrap().last().unwrap()[name]
    }

    #[test]
    fn a_window_is_that_of_pandas() {
        let given = |rebalancing: &str| {
            run(
                json!({"crises": "may:2012-05-01,2012-06-04", "weights": [0.1, 0.2, 0.3, 0.2, 0.1],
                "rebalancing": rebalancing}),
            )
            .unwrap()
        };
        let (held, daily) = (given("none"), given("daily"));
        let near = |got: &Value, want: f64| {
            let got = got.as_f64().unwrap();
            assert!((got - want).abs() < 1e-12, "{got}, {want}");
        };
        // pandas 3.1: closes over their first, times the weights, 0.1 in cash; pct_change for daily weights.
        near(own(&held, "return"), -0.053_175_734_681_636_055);
        near(own(&daily, "return"), -0.053_214_964_692_944_29);
        near(own(&held, "max_drawdown"), -0.057_982_894_667_668_594);
        near(own(&held, "worst_day_return"), -0.012_881_454_733_290_387);
        assert_eq!(own(&held, "worst_day"), "2012-06-01");
        near(own(&held, "volatility"), 0.094_817_021_231_402_34);
        near(own(&held, "volatility_outside"), 0.101_155_183_162_084_5);
        near(own(&held, "beta"), 0.183_042_660_090_651_37);
        near(own(&held, "correlation"), 0.431_117_716_062_516_53);
        near(own(&held, "correlation_outside"), 0.420_725_433_386_924_9);
        let pair = &own(&held, "correlation_breaks")[0];
        assert_eq!(pair["pair"], json!(["AAPL", "CVX"]));
        near(&pair["inside"], 0.387_944_275_093_498_27);
        near(&pair["outside"], 0.301_413_047_464_767_5);
        near(&pair["z"], 0.421_897_534_464_669_7);
        assert_eq!(own(&held, "rows"), 23);
        // Lowest on 1 June, 31 days after 1 May; back on 19 June.
        assert_eq!(own(&held, "days_to_trough").as_f64(), Some(31.0));
        assert_eq!(own(&held, "days_to_recover").as_f64(), Some(18.0));
        near(&held["betas"]["CVX"], 0.181_144_332_192_058_64);
        near(&held["value_at_risk_99"], -0.014_413_788_898_944_962);
        assert_eq!(held["worst_day"], "2012-11-07");
        assert_eq!(held["covered"], json!(["may"]));
        assert_eq!(held["not_covered"].as_array().unwrap().len(), KNOWN.len());
        let early = &held["crises"][0];
        assert_eq!(early["reason"], "the data go from 2012-01-03 to 2013-01-15");
    }

    #[test]
    fn a_shock_goes_through_beta_and_takes_no_more_than_everything() {
        let found = run(
            json!({"betas": [1, 2, 0.5, 0, -1], "shocks": [-0.6], "weights": [0.2, 0.2, 0.2, 0.2, 0.2]}),
        );
        let shock = &found.unwrap()["shocks"][0];
        // -0.6, -1 (not -1.2), -0.3, 0, 0.6: a fifth of their sum.
        assert_eq!(shock["assets"]["CVX"].as_f64(), Some(-1.0));
        assert!((shock["portfolio"].as_f64().unwrap() + 0.26).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_replayed_is_refused() {
        for (given, words) in [
            (json!({"weights": [1, 2]}), "there are 2 for 5 columns"),
            (
                json!({"crises": "may:2012-06-04,2012-05-01"}),
                "first before the last",
            ),
            (
                json!({"crises": "covid_2020:2012-05-01,2012-06-04"}),
                "already",
            ),
        ] {
            assert!(run(given).unwrap_err().to_string().contains(words));
        }
        let bare = SeriesTable::new(closes().design().clone(), None).unwrap();
        let params = StressTestParams::from_map(&serde_json::Map::new()).unwrap();
        let refused = StressTest::analyse(
            &params,
            &bare,
            Ask {
                horizon: 1,
                seed: 0,
            },
        )
        .unwrap_err();
        assert!(refused.to_string().contains("no dates"));
    }
}
