//! What the holdings were worth on each day, what they returned, and where that came from.
//!
//! The return of a day is (value + withdrawals) / (value of the day before + deposits) - 1: deposits work from the
//! begin of their day, withdrawals until its end, and their size and moment do not change the return (time-weighted,
//! GIPS). A share's part of it is its change of value less what was bought and plus what it paid, over the same base.
//! Effects of days are linked with Cariño's logarithms (J. Performance Measurement 3, 1999), so that they add up to
//! the return of the span.

use super::book::Book;
use chrono::NaiveDate;
use mltrainer_catalogue::risk::{benchmarked, drawdown, performance};
use mltrainer_types::finite;
use mltrainer_types::portfolio::{
    Attribution, BenchmarkReturn, HoldingsPerformance, SectorEffect, ValueDay,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use std::collections::{BTreeMap, BTreeSet};

/// Trading days a year.
pub(crate) const YEAR: f64 = 252.0;

/// Name of the sector of what has none.
const OTHER: &str = "other";

/// Name of the sector of cash.
const CASH: &str = "cash";

/// Closes of one symbol by day, ascending.
pub(crate) type Closes = Vec<(NaiveDate, f64)>;

/// A number of the models from a decimal.
pub(crate) fn float(x: Decimal) -> f64 {
    x.to_f64().unwrap_or(f64::NAN)
}

/// One symbol on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Piece {
    value: f64,
    bought: f64,
    received: f64,
}

/// A day of the portfolio.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    date: NaiveDate,
    value: f64,
    paid_in: f64,
    paid_out: f64,
    pieces: BTreeMap<String, Piece>,
}

/// Return, and each symbol's weight at the begin and part of the return.
#[derive(Debug, Clone, PartialEq)]
struct Return {
    whole: f64,
    parts: BTreeMap<String, (f64, f64)>,
}

/// The daily values of a book.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Past {
    rows: Vec<Row>,
    returns: Vec<Return>,
}

impl Past {
    /// Values on the days on which a symbol has a close, from the first transaction to `as_of`, and on that day. A
    /// close holds until the next one; before the first, a share is worth what was paid.
    pub(crate) fn new(
        book: &Book,
        closes: &BTreeMap<String, Closes>,
        as_of: NaiveDate,
    ) -> Option<Self> {
        let first = *book.days.keys().next()?;
        let mut dates: BTreeSet<NaiveDate> = closes
            .values()
            .flatten()
            .map(|(d, _)| *d)
            .filter(|d| *d >= first && *d <= as_of)
            .collect();
        dates.insert(as_of);
        let mut events = book.days.iter().peekable();
        let mut paid: BTreeMap<&str, (NaiveDate, f64)> = BTreeMap::new();
        for (date, symbol, price) in &book.trades {
            paid.entry(symbol).or_insert((*date, float(*price)));
        }
        let mut shares: BTreeMap<String, (Decimal, NaiveDate)> = BTreeMap::new();
        let mut cash = 0.0;
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        let mut rows = Vec::with_capacity(dates.len());
        for date in dates {
            let mut row = Row {
                date,
                value: 0.0,
                paid_in: 0.0,
                paid_out: 0.0,
                pieces: BTreeMap::new(),
            };
            // What happened since the last day that has closes counts on this one.
            while let Some((when, day)) = events.next_if(|(when, _)| **when <= date) {
                row.paid_in += float(day.paid_in);
                row.paid_out += float(day.paid_out);
                cash = float(day.cash);
                for (symbol, asset) in &day.assets {
                    let piece = row.pieces.entry(symbol.clone()).or_default();
                    piece.bought += float(asset.bought);
                    piece.received += float(asset.received);
                    shares.insert(symbol.clone(), (asset.shares, *when));
                }
            }
            row.value = cash;
            for (symbol, (count, since)) in &shares {
                let list = closes.get(symbol).map(Vec::as_slice).unwrap_or_default();
                let place = at.entry(symbol.clone()).or_insert(0);
                while list.get(*place).is_some_and(|(d, _)| *d <= date) {
                    *place += 1;
                }
                let known = place
                    .checked_sub(1)
                    .and_then(|i| list.get(i))
                    .map(|(_, c)| *c);
                let split = |after: NaiveDate, until: NaiveDate| splits(book, symbol, after, until);
                let price = match (known, list.last(), paid.get(symbol.as_str())) {
                    // Closes are adjusted for the splits until the last of them, shares for those until today.
                    (Some(close), Some((end, _)), _) => {
                        close * split(*since, *end) / split(*end, date)
                    }
                    (_, _, Some((day, price))) => price / split(*day, date),
                    _ => 0.0,
                };
                let value = float(*count) * price;
                row.value += value;
                row.pieces.entry(symbol.clone()).or_default().value = value;
            }
            rows.push(row);
        }
        let mut returns = Vec::new();
        let mut before: Option<&Row> = None;
        for row in &rows {
            let base = before.map_or(0.0, |b| b.value) + row.paid_in;
            if base > 0.0 {
                let parts = row.pieces.iter().map(|(symbol, p)| {
                    let held = before
                        .and_then(|b| b.pieces.get(symbol))
                        .map_or(0.0, |p| p.value);
                    let gain = p.value - held - p.bought + p.received;
                    (symbol.clone(), ((held + p.bought) / base, gain / base))
                });
                returns.push(Return {
                    whole: (row.value + row.paid_out) / base - 1.0,
                    parts: parts.collect(),
                });
            } else {
                // Nothing is held: nothing is earned.
                returns.push(Return {
                    whole: 0.0,
                    parts: BTreeMap::new(),
                });
            }
            before = Some(row);
        }
        Some(Self { rows, returns })
    }

    /// The days.
    pub(crate) fn dates(&self) -> Vec<NaiveDate> {
        self.rows.iter().map(|r| r.date).collect()
    }

    fn whole(&self) -> Vec<f64> {
        self.returns.iter().map(|r| r.whole).collect()
    }

    /// How it did, beside a benchmark's daily returns, where there are some.
    pub(crate) fn performance(
        &self,
        benchmark: Option<(&str, &[f64])>,
    ) -> Option<HoldingsPerformance> {
        let (first, last) = (self.rows.first()?, self.rows.last()?);
        let r = self.whole();
        let figures = performance(&r, YEAR, 0.0, 0.0);
        let years = (last.date - first.date).num_days() as f64 / 365.25;
        let total = figures.total_return;
        let mut growth = (1.0, 1.0);
        let path = self.rows.iter().enumerate().map(|(i, row)| {
            growth.0 *= 1.0 + r[i];
            let other = benchmark.and_then(|(_, b)| b.get(i));
            growth.1 *= 1.0 + other.copied().unwrap_or(0.0);
            ValueDay {
                date: row.date,
                value: row.value,
                growth: growth.0,
                benchmark: other.map(|_| growth.1),
            }
        });
        let path = path.collect();
        let benchmark = benchmark.map(|(name, b)| {
            let total_return = grown(b);
            let beside = benchmarked(&r, b, YEAR, 0.0);
            BenchmarkReturn {
                name: name.to_owned(),
                total_return,
                excess_return: total - total_return,
                beta: finite(beside.beta),
                tracking_error: finite(beside.tracking_error),
            }
        });
        Some(HoldingsPerformance {
            start: first.date,
            end: last.date,
            days: r.len() as u64,
            time_weighted_return: total,
            annual_return: (years >= 1.0).then(|| (1.0 + total).powf(1.0 / years) - 1.0),
            volatility: finite(figures.annual_volatility),
            max_drawdown: drawdown(&r).max,
            benchmark,
            path,
        })
    }

    /// What each share added. None when everything was lost: nothing can be linked then.
    pub(crate) fn by_asset(&self) -> Option<Attribution> {
        let r = self.whole();
        let link = links(&r, &vec![0.0; r.len()])?;
        let mut contributions: BTreeMap<String, f64> = BTreeMap::new();
        for (day, k) in self.returns.iter().zip(link) {
            for (symbol, (_, part)) in &day.parts {
                *contributions.entry(symbol.clone()).or_default() += k * part;
            }
        }
        Some(Attribution::Asset {
            contributions,
            total: grown(&r),
        })
    }

    /// What weights and choices within sectors added above a benchmark of these weights every day; `returns` are the
    /// daily ones of its symbols.
    pub(crate) fn by_sector(
        &self,
        sectors: &BTreeMap<String, String>,
        weights: &BTreeMap<String, f64>,
        returns: &BTreeMap<String, Vec<f64>>,
    ) -> Option<Attribution> {
        let sector = |symbol: &str| sectors.get(symbol).map_or(OTHER, String::as_str);
        let r = self.whole();
        let day_of = |symbol: &str, i: usize| {
            let list = returns.get(symbol);
            list.and_then(|v| v.get(i)).copied().unwrap_or(0.0)
        };
        let benchmark: Vec<f64> = (0..r.len())
            .map(|i| weights.iter().map(|(s, w)| w * day_of(s, i)).sum())
            .collect();
        let link = links(&r, &benchmark)?;
        let mut names: BTreeSet<&str> = weights.keys().map(|s| sector(s)).collect();
        names.extend(
            self.returns
                .iter()
                .flat_map(|d| d.parts.keys())
                .map(|s| sector(s)),
        );
        names.insert(CASH);
        let mut effects = Vec::new();
        for name in names {
            let mut e = SectorEffect {
                sector: name.to_owned(),
                weight: 0.0,
                // Not sum(): that of nothing is -0.
                benchmark_weight: weights
                    .iter()
                    .filter(|(s, _)| sector(s) == name)
                    .fold(0.0, |sum, (_, w)| sum + w),
                allocation: 0.0,
                selection: 0.0,
                interaction: 0.0,
            };
            let there = e.benchmark_weight;
            for (i, (day, k)) in self.returns.iter().zip(&link).enumerate() {
                let own = || {
                    day.parts
                        .iter()
                        .filter(|(s, _)| sector(s) == name)
                        .map(|(_, p)| p)
                };
                let invested: f64 = day.parts.values().map(|(w, _)| w).sum();
                let (mut weight, part): (f64, f64) =
                    own().fold((0.0, 0.0), |(w, c), p| (w + p.0, c + p.1));
                if name == CASH {
                    weight = if day.parts.is_empty() {
                        1.0
                    } else {
                        1.0 - invested
                    };
                }
                let theirs: f64 = weights
                    .iter()
                    .filter(|(s, _)| sector(s) == name)
                    .map(|(s, w)| w * day_of(s, i))
                    .sum();
                // A sector that one side does not hold returned there what it did on the other.
                let here_return = (weight != 0.0).then(|| part / weight);
                let there_return = (there != 0.0).then(|| theirs / there);
                let here = here_return.or(there_return).unwrap_or(0.0);
                let beside = there_return.or(here_return).unwrap_or(0.0);
                if weight == 0.0 {
                    // What a share paid after it was sold.
                    e.interaction += k * part;
                }
                e.weight += weight / r.len() as f64;
                e.allocation += k * (weight - there) * (beside - benchmark[i]);
                e.selection += k * there * (here - beside);
                e.interaction += k * (weight - there) * (here - beside);
            }
            effects.push(e);
        }
        Some(Attribution::Sector {
            total: grown(&r) - grown(&benchmark),
            sectors: effects,
        })
    }
}

/// Product of the gross returns less 1.
fn grown(r: &[f64]) -> f64 {
    r.iter().map(|r| 1.0 + r).product::<f64>() - 1.0
}

/// Factors that turn the effects of days into those of the span.
fn links(r: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    let factor = |r: f64, b: f64| -> Option<f64> {
        if r <= -1.0 || b <= -1.0 {
            return None;
        }
        let apart = r - b;
        // At equal returns the quotient's limit.
        Some(if apart.abs() < 1e-9 {
            1.0 / (1.0 + r)
        } else {
            (r.ln_1p() - b.ln_1p()) / apart
        })
    };
    let whole = factor(grown(r), grown(b))?;
    r.iter()
        .zip(b)
        .map(|(r, b)| factor(*r, *b).map(|k| k / whole))
        .collect()
}

/// New shares for one old, by the splits recorded after a day until another.
pub(crate) fn splits(book: &Book, symbol: &str, after: NaiveDate, until: NaiveDate) -> f64 {
    let list = book
        .splits
        .get(symbol)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let within = list.iter().filter(|(d, _)| *d > after && *d <= until);
    within.map(|(_, ratio)| float(*ratio)).product()
}

/// Daily returns of closes on given days: a close holds until the next one, and before the first there is none.
pub(crate) fn on_days(closes: &Closes, days: &[NaiveDate]) -> Vec<f64> {
    let mut at = 0;
    let mut last: Option<f64> = None;
    days.iter()
        .map(|day| {
            while closes.get(at).is_some_and(|(d, _)| d <= day) {
                at += 1;
            }
            let now = at
                .checked_sub(1)
                .and_then(|i| closes.get(i))
                .map(|(_, c)| *c);
            let change = match (last, now) {
                (Some(a), Some(b)) => b / a - 1.0,
                _ => 0.0,
            };
            last = now.or(last);
            change
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::book::tests::{day, recorded};
    use super::*;
    use mltrainer_types::portfolio::CostBasis;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    fn closes(list: &[(&str, f64)]) -> Closes {
        list.iter().map(|(d, c)| (day(d), *c)).collect()
    }

    fn past(lines: &[&str], prices: &[(&str, &[(&str, f64)])], as_of: &str) -> Past {
        let book = Book::replay(&recorded(lines), CostBasis::Fifo, None).unwrap();
        let all = prices
            .iter()
            .map(|(s, list)| ((*s).to_owned(), closes(list)));
        Past::new(&book, &all.collect(), day(as_of)).unwrap()
    }

    const LINES: [&str; 6] = [
        "2020-01-02 deposit 1000",
        "2020-01-02 buy A 6 100",
        "2020-01-02 buy B 4 100",
        // A deposit that is not invested, and a withdrawal.
        "2020-01-03 deposit 500",
        "2020-01-06 sell B 4 120",
        "2020-01-06 withdrawal 480",
    ];
    const A: (&str, &[(&str, f64)]) = (
        "A",
        &[
            ("2020-01-02", 100.0),
            ("2020-01-03", 110.0),
            ("2020-01-06", 99.0),
        ],
    );
    const B: (&str, &[(&str, f64)]) = (
        "B",
        &[
            ("2020-01-02", 100.0),
            ("2020-01-03", 90.0),
            ("2020-01-06", 120.0),
        ],
    );

    #[test]
    fn time_weighted_by_hand() {
        // 2 January: 1000 / 1000. 3 January: 660 + 360 + 500 = 1520 over 1000 + 500. 6 January: 594 left, 500 cash,
        // 480 taken: 594 + 500 + 480 over 1520.
        let p = past(&LINES, &[A, B], "2020-01-06");
        let told = p.performance(None).unwrap();
        near(
            told.time_weighted_return,
            (1520.0 / 1500.0) * (1574.0 / 1520.0) - 1.0,
        );
        assert_eq!(told.path[1].value, 1520.0);
        assert_eq!(told.path[2].value, 1094.0);
        assert_eq!(told.days, 3);
        assert_eq!(told.annual_return, None);
    }

    #[test]
    fn contributions_add_up() {
        // Parts of 3 January over 1500: A 60, B -40; of 6 January over 1520: A -66, B 120.
        // Links ln(1 + r)/r over ln(1 + R)/R.
        let p = past(&LINES, &[A, B], "2020-01-06");
        let Some(Attribution::Asset {
            contributions,
            total,
        }) = p.by_asset()
        else {
            panic!()
        };
        let (r1, r2, whole) = (20.0 / 1500.0, 54.0 / 1520.0, 1574.0 / 1500.0 - 1.0);
        let k = |r: f64| (r.ln_1p() / r) / (f64::ln_1p(whole) / whole);
        near(
            contributions["A"],
            k(r1) * 60.0 / 1500.0 - k(r2) * 66.0 / 1520.0,
        );
        near(
            contributions["B"],
            -k(r1) * 40.0 / 1500.0 + k(r2) * 120.0 / 1520.0,
        );
        near(contributions.values().sum(), total);
        near(total, whole);
    }

    #[test]
    fn sectors_of_one_day_by_hand() {
        // One day: 60 % A (+10 %), 40 % B (-10 %); benchmark half and half of A and C, C in B's sector (+4 %).
        // r = 0.02, b = 0.07. Tech: allocation 0.1 (0.1 - 0.07), nothing else.
        // Food: allocation -0.1 (0.04 - 0.07), selection 0.5 (-0.1 - 0.04), interaction -0.1 (-0.14).
        let lines = &LINES[..3];
        let p = past(lines, &[A, B], "2020-01-03");
        let map = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect()
        };
        let sectors = map(&[("A", "tech"), ("B", "food"), ("C", "food")]);
        let weights = BTreeMap::from([("A".to_owned(), 0.5), ("C".to_owned(), 0.5)]);
        let returns = BTreeMap::from([
            ("A".to_owned(), vec![0.0, 0.1]),
            ("C".to_owned(), vec![0.0, 0.04]),
        ]);
        let Some(Attribution::Sector { sectors, total }) =
            p.by_sector(&sectors, &weights, &returns)
        else {
            panic!()
        };
        near(total, -0.05);
        let of = |name: &str| sectors.iter().find(|s| s.sector == name).unwrap();
        near(of("tech").allocation, 0.1 * 0.03);
        near(of("tech").selection, 0.0);
        near(of("food").allocation, 0.1 * 0.03);
        near(of("food").selection, 0.5 * -0.14);
        near(of("food").interaction, 0.1 * 0.14);
        near(of("cash").allocation, 0.0);
        assert!(of("cash").benchmark_weight.is_sign_positive());
        let sum: f64 = sectors
            .iter()
            .map(|s| s.allocation + s.selection + s.interaction)
            .sum();
        near(sum, total);
    }

    #[test]
    fn effects_of_several_days_add_up() {
        let p = past(&LINES, &[A, B], "2020-01-06");
        let sectors = BTreeMap::from([("A".to_owned(), "tech".to_owned())]);
        let weights = BTreeMap::from([("A".to_owned(), 0.7), ("C".to_owned(), 0.3)]);
        let returns = BTreeMap::from([
            ("A".to_owned(), vec![0.0, 0.1, -0.1]),
            ("C".to_owned(), vec![0.0, 0.04, 0.2]),
        ]);
        let Some(Attribution::Sector { sectors, total }) =
            p.by_sector(&sectors, &weights, &returns)
        else {
            panic!()
        };
        let sum: f64 = sectors
            .iter()
            .map(|s| s.allocation + s.selection + s.interaction)
            .sum();
        near(sum, total);
        // 1574/1500 less (1 + 0.07 + 0.012)(1 - 0.07 + 0.06).
        near(total, 1574.0 / 1500.0 - 1.082 * 0.99);
    }

    #[test]
    fn a_split_changes_no_return() {
        // Closes adjusted for 2 for 1: bought at 64 before is 32 after.
        let p = past(
            &[
                "2005-02-25 deposit 640",
                "2005-02-25 buy X 10 64",
                "2005-02-28 split X 2 1",
            ],
            &[("X", &[("2005-02-25", 32.0), ("2005-02-28", 33.6)])],
            "2005-02-28",
        );
        let told = p.performance(None).unwrap();
        assert_eq!((told.path[0].value, told.path[1].value), (640.0, 672.0));
        near(told.time_weighted_return, 0.05);
    }

    #[test]
    fn a_split_after_the_last_close_changes_no_value() {
        let p = past(
            &[
                "2012-10-08 deposit 6381.7",
                "2012-10-08 buy X 10 638.17",
                "2014-06-09 split X 7 1",
            ],
            &[("X", &[("2012-10-08", 638.17), ("2012-10-09", 635.85)])],
            "2014-06-10",
        );
        near(p.rows[2].value, 6358.5);
    }

    #[test]
    fn without_closes_a_share_is_worth_what_was_paid() {
        let p = past(
            &[
                "2020-01-02 deposit 100",
                "2020-01-02 buy X 1 100",
                "2020-01-03 split X 4 1",
            ],
            &[],
            "2020-01-06",
        );
        near(p.rows[0].value, 100.0);
    }

    #[test]
    fn closes_hold_until_the_next() {
        let list = closes(&[("2020-01-03", 10.0), ("2020-01-07", 11.0)]);
        let days = ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"].map(day);
        let r = on_days(&list, &days);
        assert_eq!(&r[..3], [0.0, 0.0, 0.0]);
        near(r[3], 0.1);
    }
}
