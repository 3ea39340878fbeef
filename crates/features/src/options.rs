//! Options: what the market in options on a symbol says, from its chain at the close of each day.

use crate::ops::{c, ln, mean};
use crate::{CLOSE_OF_BAR, Feature};
use chrono::{Datelike, Days, NaiveDate};
use mltrainer_compliance::{Content, Digest};
use mltrainer_data::table::Table;
use polars::prelude::{Expr, lit};
use std::collections::BTreeMap;

/// One option at the close of one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionQuote {
    /// The day.
    pub day: NaiveDate,
    /// Day of expiry.
    pub expiry: NaiveDate,
    /// Strike, in the prices of the day.
    pub strike: f64,
    /// A call; else a put.
    pub call: bool,
    /// Contracts traded on the day.
    pub volume: f64,
    /// Contracts open.
    pub open_interest: f64,
    /// Implied volatility a year, 0.2 for 20 %; 0 or NaN where there is none.
    pub implied_volatility: f64,
    /// Price of the underlying at the same time, as traded.
    pub underlying: f64,
}

/// The options on a symbol over some days.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionChain {
    /// Symbol of the underlying.
    pub symbol: String,
    /// The quotes, in any order.
    pub quotes: Vec<OptionQuote>,
}

impl OptionChain {
    /// The chain in a table with a `date` (YYYY-MM-DD) and the numeric columns `days_to_expiry`,
    /// `strike`, `call` (1 for a call, 0 for a put), `volume`, `open_interest`,
    /// `implied_volatility` (0.2 for 20 %, 0 where there is none) and `underlying`.
    ///
    /// # Errors
    /// One sentence that names the column and the row.
    pub fn from_table(symbol: &str, table: &Table) -> Result<Self, String> {
        let dates = table
            .dates
            .as_ref()
            .ok_or("an option chain needs a column date; add one with days as YYYY-MM-DD")?;
        let column = |name: &str| {
            table.column(name).ok_or_else(|| {
                format!(
                    "an option chain needs a column {name}; there are date, {}",
                    table.names.join(", ")
                )
            })
        };
        let (days, strikes) = (column("days_to_expiry")?, column("strike")?);
        let (calls, volumes) = (column("call")?, column("volume")?);
        let (open, volatilities) = (column("open_interest")?, column("implied_volatility")?);
        let underlying = column("underlying")?;
        let quote = |row: usize| {
            let bad = |name: &str, value: &dyn std::fmt::Display, rule: &str| {
                format!(
                    "{name} is {value} in row {} of the option chain; {rule}",
                    row + 1
                )
            };
            let day: NaiveDate = dates[row]
                .parse()
                .map_err(|_| bad("date", &dates[row], "give a day as YYYY-MM-DD"))?;
            let above = |name, value: f64| match value > 0.0 {
                true => Ok(value),
                false => Err(bad(name, &value, "give a number above zero")),
            };
            let at_least = |name, value: f64| match value >= 0.0 {
                true => Ok(value),
                false => Err(bad(name, &value, "give zero or more")),
            };
            let left = at_least("days_to_expiry", days[row])?;
            Ok(OptionQuote {
                day,
                expiry: day
                    .checked_add_days(Days::new(left as u64))
                    .ok_or_else(|| bad("days_to_expiry", &left, "there is no such day"))?,
                strike: above("strike", strikes[row])?,
                call: match calls[row] {
                    1.0 => true,
                    0.0 => false,
                    other => return Err(bad("call", &other, "give 1 for a call, 0 for a put")),
                },
                volume: at_least("volume", volumes[row])?,
                open_interest: at_least("open_interest", open[row])?,
                implied_volatility: at_least("implied_volatility", volatilities[row])?,
                underlying: above("underlying", underlying[row])?,
            })
        };
        Ok(Self {
            symbol: symbol.to_owned(),
            quotes: (0..table.rows())
                .map(quote)
                .collect::<Result<_, String>>()?,
        })
    }
}

impl Content for OptionChain {
    fn digest(&self, d: &mut Digest) {
        d.text("options").text(&self.symbol);
        d.int(self.quotes.len() as i64);
        for q in &self.quotes {
            d.int(i64::from(q.day.num_days_from_ce()))
                .int(i64::from(q.expiry.num_days_from_ce()))
                .int(i64::from(q.call))
                .floats(&[
                    q.strike,
                    q.volume,
                    q.open_interest,
                    q.implied_volatility,
                    q.underlying,
                ]);
        }
    }
}

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
        group: "options",
        formula,
        parameters,
        warm_up,
        known_at: CLOSE_OF_BAR,
        needs,
        source,
        expr,
    }
}

const VOLUMES: &[&str] = &["put volume", "call volume"];

pub(crate) const FEATURES: &[Feature] = &[
    feature(
        "put_call_volume",
        "ln(puts traded / calls traded) over all strikes and expiries; missing when one was not traded",
        &[],
        0,
        VOLUMES,
        "Pan & Poteshman, Review of Financial Studies 19 (2006) 871-908",
        |_| ln(c("put volume") / c("call volume")),
    ),
    feature(
        "put_call_open_interest",
        "ln(puts open / calls open) over all strikes and expiries",
        &[],
        0,
        &["put open interest", "call open interest"],
        "Pan & Poteshman, Review of Financial Studies 19 (2006) 871-908",
        |_| ln(c("put open interest") / c("call open interest")),
    ),
    feature(
        "unusual_option_volume_20",
        "ln(contracts traded / their mean over 20 bars)",
        &[("n", 20)],
        19,
        VOLUMES,
        "Johnson & So, Journal of Financial Economics 106 (2012) 262-286",
        |p| {
            let all = c("put volume") + c("call volume");
            ln(all.clone() / mean(all, p[0]))
        },
    ),
    feature(
        "option_to_stock_volume",
        "ln(100 contracts traded / V)",
        &[],
        0,
        &["put volume", "call volume", "volume"],
        "Roll, Schwartz & Subrahmanyam, Journal of Financial Economics 96 (2010) 1-17",
        |_| ln((c("put volume") + c("call volume")) * lit(100.0) / c("volume")),
    ),
    feature(
        "implied_volatility_log",
        "ln of the implied volatility of the call nearest the money (strike / price 0.95 to 1.05), expiry nearest 30 days (10 to 60)",
        &[],
        0,
        &["implied volatility of a month"],
        "Xing, Zhang & Zhao, Journal of Financial and Quantitative Analysis 45 (2010) 641-662",
        |_| ln(c("implied volatility of a month")),
    ),
    feature(
        "volatility_skew",
        "implied volatility of the put with strike / price nearest 0.95 (0.80 to 0.95) less that of the call nearest the money, expiry nearest 30 days (10 to 60)",
        &[],
        0,
        &[
            "implied volatility of a month",
            "implied volatility of a low put",
        ],
        "Xing, Zhang & Zhao, Journal of Financial and Quantitative Analysis 45 (2010) 641-662",
        |_| c("implied volatility of a low put") - c("implied volatility of a month"),
    ),
    feature(
        "volatility_term_structure",
        "implied volatility of the call nearest the money with expiry nearest 90 days (61 to 180) less that nearest 30 days (10 to 60)",
        &[],
        0,
        &[
            "implied volatility of a month",
            "implied volatility of a quarter",
        ],
        "Vasquez, Journal of Financial and Quantitative Analysis 52 (2017) 2727-2754",
        |_| c("implied volatility of a quarter") - c("implied volatility of a month"),
    ),
];

/// Days to expiry: nearest to the first, from the second to the third.
const MONTH: (i64, i64, i64) = (30, 10, 60);
const QUARTER: (i64, i64, i64) = (90, 61, 180);

/// The column of that name, one value a day; NaN where the chain of the day has none.
pub(crate) fn column(name: &str, days: &[NaiveDate], chain: &OptionChain) -> Option<Vec<f64>> {
    let of_day: fn(&[&OptionQuote]) -> f64 = match name {
        "put volume" => |q| total(q, false, |q| q.volume),
        "call volume" => |q| total(q, true, |q| q.volume),
        "put open interest" => |q| total(q, false, |q| q.open_interest),
        "call open interest" => |q| total(q, true, |q| q.open_interest),
        "implied volatility of a month" => |q| volatility(q, MONTH, true, (1.0, 0.95, 1.05)),
        "implied volatility of a quarter" => |q| volatility(q, QUARTER, true, (1.0, 0.95, 1.05)),
        "implied volatility of a low put" => |q| volatility(q, MONTH, false, (0.95, 0.8, 0.95)),
        _ => return None,
    };
    let mut by_day: BTreeMap<NaiveDate, Vec<&OptionQuote>> = BTreeMap::new();
    for quote in &chain.quotes {
        by_day.entry(quote.day).or_default().push(quote);
    }
    let value = |day| by_day.get(day).map_or(f64::NAN, |q| of_day(q));
    Some(days.iter().map(value).collect())
}

fn total(quotes: &[&OptionQuote], call: bool, of: fn(&OptionQuote) -> f64) -> f64 {
    quotes
        .iter()
        .filter(|q| q.call == call)
        .map(|q| of(q))
        .sum()
}

/// The implied volatility of the option whose expiry and then moneyness lie nearest to what is asked
/// for, within bounds; of two equally near the sooner and the lower. NaN when there is none.
fn volatility(
    quotes: &[&OptionQuote],
    (days, soonest, latest): (i64, i64, i64),
    call: bool,
    (money, lowest, highest): (f64, f64, f64),
) -> f64 {
    let left = |q: &OptionQuote| (q.expiry - q.day).num_days();
    let distance = |q: &OptionQuote| (q.strike / q.underlying - money).abs();
    quotes
        .iter()
        .filter(|q| q.call == call && q.implied_volatility > 0.0 && q.underlying > 0.0)
        .filter(|q| (soonest..=latest).contains(&left(q)))
        .filter(|q| (lowest..=highest).contains(&(q.strike / q.underlying)))
        .min_by(|a, b| {
            ((left(a) - days).abs(), left(a))
                .cmp(&((left(b) - days).abs(), left(b)))
                .then(distance(a).total_cmp(&distance(b)))
                .then(a.strike.total_cmp(&b.strike))
        })
        .map_or(f64::NAN, |q| q.implied_volatility)
}
