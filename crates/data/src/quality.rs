//! The checks on arrival: what each finds, what is set aside, when a data set is refused.
//!
//! | check | finds | consequence |
//! |---|---|---|
//! | `shape` | columns of different length | refused |
//! | `unreadable_date`, `unreadable_figure` | a cell that is empty or no date or number | row set aside |
//! | `price_not_positive`, `negative_volume` | a price of zero or less, a volume below zero | row set aside |
//! | `ohlc_order` | not `low <= open, close <= high` | row set aside |
//! | `closed_day` | a bar on a weekend or holiday of the New York Stock Exchange | row set aside |
//! | `duplicate_date` | one date twice: the same row again is set aside; rows that differ all are | row set aside |
//! | `unsorted_date` | a row outside the longest run of ascending dates | row set aside |
//! | `known_before_date` | a value of a series known before its date | row set aside |
//! | `newest_first` | the file begins with the newest day; it is read from its end | noted |
//! | `missing_day` | a trading day between first and last without a bar | noted, counts for `missing_share` |
//! | `missing_share` | over 5 % of the trading days without a usable bar | refused |
//! | `jump` | a close more than 50 % from the one before: extreme but kept | noted |
//! | `possible_split` | a close within 3 % of 1/2, 1/3 ... 1/20 or 2, 3 ... 20 times the one before: perhaps a split that was not adjusted for | noted |
//! | `zero_volume` | a day on which nothing was traded | noted |
//! | `stale_run` | 5 or more equal closes in a row | noted |
//! | `few_rows` | fewer than 20 usable rows | refused |
//!
//! Nothing is repaired or filled in. **Score** = 100 x (1 - (set aside + missing days + a tenth of
//! the rows noted by `jump`, `possible_split`, `zero_volume` or `stale_run`) / (rows + missing days)), not below 0,
//! to two decimals. Every finding is counted; the list holds the first 50 of each check.
//!
//! The screen for manufactured series runs for every data set that does not ship with the program:
//! `weekend_share` and `repeated_block` refuse, and of the signs of [`screen`] one is noted and two
//! refuse. Bars of less than a day are compared with the hours of each session (`partial_session`,
//! `outside_session`, both noted); shorter than half an hour they may lack where nothing was traded,
//! and only whole sessions count for `missing_share`. What two sources say of one symbol is compared
//! by [`compare`](crate::compare), and age is judged where there is a clock.

use crate::bars::{Bars, UNREADABLE_DATE};
use crate::calendar;
use crate::intraday::{Intraday, UNREADABLE_STAMP};

use crate::screen;
use crate::series::Series;
use crate::table::{Table, Unseen, WithGaps};
use chrono::NaiveDate;
use mltrainer_compliance::{Admissible, Inspection};
use mltrainer_types::data::{Finding, QualityReport, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Fewer usable rows are refused.
pub const MIN_ROWS: usize = 20;
/// A larger share of trading days without a usable bar is refused.
pub const MAX_MISSING_SHARE: f64 = 0.05;
/// A larger relative change from close to close is noted.
pub const JUMP: f64 = 0.5;
/// A close so near to a whole multiple or fraction of the one before is noted.
pub const SPLIT_NEARNESS: f64 = 0.03;
/// So many equal closes in a row are noted.
pub const STALE_RUN: usize = 5;
/// Bars shorter than this may lack where nothing was traded: completeness counts their sessions.
pub const SPARSE_MINUTES: u32 = 30;
/// So many findings of one check are listed; all are counted.
pub const LISTED: u64 = 50;
/// A larger share of bars on weekends is taken for a manufactured series.
pub const MAX_WEEKEND_SHARE: f64 = 0.02;
/// So many successive returns that occur twice are taken for a manufactured series.
pub const REPEATED_BLOCK: usize = 20;

const NO_DATE: &str = "the date is missing or cannot be read";

/// The findings while the checks run.
#[derive(Default)]
struct Book {
    counts: BTreeMap<String, u64>,
    findings: Vec<Finding>,
    aside: BTreeSet<usize>,
    noted: BTreeSet<usize>,
    missing: u64,
}

impl Book {
    fn add(
        &mut self,
        check: &str,
        severity: Severity,
        row: Option<usize>,
        date: Option<NaiveDate>,
        reason: String,
    ) {
        let count = self.counts.entry(check.to_owned()).or_default();
        *count += 1;
        if *count <= LISTED {
            self.findings.push(Finding {
                check: check.to_owned(),
                severity,
                row: row.map(|r| r as u64 + 1),
                date: date.filter(|d| *d != UNREADABLE_DATE),
                reason,
            });
        }
    }

    /// Sets a row (from 0) aside.
    fn aside(&mut self, check: &str, row: usize, date: NaiveDate, reason: String) {
        self.add(check, Severity::Quarantine, Some(row), Some(date), reason);
        self.aside.insert(row);
    }

    /// Notes a row (from 0) that is kept.
    fn note(&mut self, check: &str, row: usize, date: NaiveDate, reason: String) {
        self.add(check, Severity::Note, Some(row), Some(date), reason);
        self.noted.insert(row);
    }

    fn refuse(&mut self, check: &str, reason: String) {
        self.add(check, Severity::Refuse, None, None, reason);
    }

    /// Refuses fewer than `least` usable rows and writes the report.
    fn close(mut self, rows: usize, usable: usize, least: usize) -> QualityReport {
        if usable < least {
            self.refuse(
                "few_rows",
                format!("{usable} usable rows of {rows}; at least {least} are needed"),
            );
        }
        let set_aside = rows - usable;
        let faults = set_aside as f64 + self.missing as f64 + self.noted.len() as f64 / 10.0;
        let of = rows as f64 + self.missing as f64;
        let score = if of > 0.0 {
            (100.0 * (1.0 - faults / of)).max(0.0)
        } else {
            0.0
        };
        QualityReport {
            score: (score * 100.0).round() / 100.0,
            rows: rows as u64,
            usable: usable as u64,
            quarantined: set_aside as u64,
            counts: self.counts,
            findings: self.findings,
        }
    }
}

/// Sets aside duplicates and rows out of order; the numbers of the other rows, stamps ascending.
/// A stamp is a day or a moment; `day` tells which day it belongs to.
fn in_order<T: Copy + Ord + Display>(
    book: &mut Book,
    stamps: &[T],
    day: impl Fn(T) -> NaiveDate,
    same: impl Fn(usize, usize) -> bool,
) -> Vec<usize> {
    let good: Vec<usize> = (0..stamps.len())
        .filter(|r| !book.aside.contains(r))
        .collect();
    // Nearly every file: nothing to sort out.
    if good.windows(2).all(|w| stamps[w[0]] < stamps[w[1]]) {
        return good;
    }
    let mut by_stamp: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    for &r in &good {
        by_stamp.entry(stamps[r]).or_default().push(r);
    }
    for (stamp, rows) in by_stamp.iter().filter(|(_, rows)| rows.len() > 1) {
        let first = rows[0];
        if rows.iter().all(|&r| same(first, r)) {
            for &r in &rows[1..] {
                let reason = format!(
                    "{stamp} was already in row {}, with the same figures",
                    first + 1
                );
                book.aside("duplicate_date", r, day(*stamp), reason);
            }
        } else {
            for &r in rows {
                let reason = format!(
                    "{stamp} occurs {} times with different figures, and nothing tells which are true",
                    rows.len()
                );
                book.aside("duplicate_date", r, day(*stamp), reason);
            }
        }
    }
    let mut order: Vec<usize> = good
        .into_iter()
        .filter(|r| !book.aside.contains(r))
        .collect();
    let descents = order
        .windows(2)
        .filter(|w| stamps[w[1]] < stamps[w[0]])
        .count();
    if descents * 2 > order.len() {
        order.reverse();
        book.add(
            "newest_first",
            Severity::Note,
            None,
            None,
            "the rows begin with the newest day and are read from the end".to_owned(),
        );
    }
    let kept = longest_ascent(&order, stamps);
    let keep: BTreeSet<usize> = kept.iter().copied().collect();
    for &r in order.iter().filter(|r| !keep.contains(r)) {
        let reason = format!("{} stands out of order among its neighbours", stamps[r]);
        book.aside("unsorted_date", r, day(stamps[r]), reason);
    }
    kept
}

/// The longest subsequence of `order` whose stamps ascend strictly.
fn longest_ascent<T: Ord>(order: &[usize], dates: &[T]) -> Vec<usize> {
    // tails[k]: position in `order` of the smallest last date of an ascent of length k + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; order.len()];
    for (at, &row) in order.iter().enumerate() {
        let k = tails.partition_point(|&t| dates[order[t]] < dates[row]);
        before[at] = k.checked_sub(1).map(|j| tails[j]);
        if k == tails.len() {
            tails.push(at);
        } else {
            tails[k] = at;
        }
    }
    let mut ascent = Vec::with_capacity(tails.len());
    let mut at = tails.last().copied();
    while let Some(here) = at {
        ascent.push(order[here]);
        at = before[here];
    }
    ascent.reverse();
    ascent
}

impl Admissible for Bars {
    fn inspect(self) -> Inspection<Self> {
        let mut book = Book::default();
        let rows = self.len();
        if let Some((name, column)) = self.columns().into_iter().find(|(_, c)| c.len() != rows) {
            let reason = format!("{rows} dates, but {} figures in {name}", column.len());
            book.refuse("shape", reason);
            return Inspection {
                usable: self.pick(&[]),
                report: book.close(rows, 0, MIN_ROWS),
            };
        }
        let columns = self.columns();
        let mut open = OpenDay::default();
        for row in 0..rows {
            let date = self.dates[row];
            if date == UNREADABLE_DATE {
                book.aside("unreadable_date", row, date, NO_DATE.to_owned());
            } else {
                check_bar(&mut book, &columns, row, date, &mut open);
            }
        }
        let same = |a: usize, b: usize| columns.iter().all(|(_, c)| c[a] == c[b]);
        let kept = in_order(&mut book, &self.dates, |date| date, same);
        check_days(&mut book, &self, &kept);
        let day = |row: usize| self.dates[row];
        check_jumps(&mut book, &self.close, day, &kept);
        check_stale(&mut book, &self, &kept);
        check_volume(&mut book, self.volume.as_deref(), day, &kept);
        let report = book.close(rows, kept.len(), MIN_ROWS);
        Inspection {
            usable: self.pick(&kept),
            report,
        }
    }

    fn screen(&self) -> Vec<Finding> {
        let refuse = |check: &str, reason: String| Finding {
            check: check.to_owned(),
            severity: Severity::Refuse,
            row: None,
            date: None,
            reason,
        };
        // One row a date, in order: a file pasted twice is a duplicate, not a forgery.
        let columns = self.columns();
        let whole = |r: usize| {
            let mut figures = columns.iter().map(|(name, c)| (*name, c.get(r)));
            figures
                .all(|(name, x)| x.is_some_and(|x| x.is_finite() && (name == "volume" || *x > 0.0)))
        };
        let rows: BTreeMap<NaiveDate, usize> = (0..self.len())
            .filter(|&r| self.dates[r] != UNREADABLE_DATE && whole(r))
            .map(|r| (self.dates[r], r))
            .rev()
            .collect();
        let mut doubts = Vec::new();
        let weekend = rows.keys().filter(|d| calendar::is_weekend(**d)).count();
        if weekend as f64 > MAX_WEEKEND_SHARE * rows.len() as f64 {
            doubts.push(refuse(
                "weekend_share",
                format!(
                    "{weekend} of {} bars are on a Saturday or Sunday, when the exchange is closed: the series looks manufactured, or is not one of a US exchange",
                    rows.len()
                ),
            ));
        }
        let closes: Vec<(NaiveDate, f64)> =
            rows.iter().map(|(d, &r)| (*d, self.close[r])).collect();
        if let Some((a, b)) = repeated_block(&closes) {
            doubts.push(refuse(
                "repeated_block",
                format!(
                    "the {REPEATED_BLOCK} returns after {a} are those after {b}: a market does not repeat itself, so the series looks manufactured"
                ),
            ));
        }
        let rows: Vec<usize> = rows.into_values().collect();
        let signs = screen::signs(&self.pick(&rows));
        // One sign may be chance; two that do not follow from each other are not.
        let severity = if signs.len() >= 2 {
            Severity::Refuse
        } else {
            Severity::Note
        };
        for sign in signs {
            let said = if severity == Severity::Refuse {
                sign.reason
            } else {
                format!("suspected to be manufactured: {}; kept", sign.reason)
            };
            doubts.push(Finding {
                severity,
                ..refuse(sign.name, said)
            });
        }
        doubts
    }
}

/// Two days after which the same returns follow, if there are such.
fn repeated_block(closes: &[(NaiveDate, f64)]) -> Option<(NaiveDate, NaiveDate)> {
    // To a ten-millionth: the same block pasted at another price level differs by rounding only.
    let returns: Vec<i64> = closes
        .windows(2)
        .map(|w| ((w[1].1 / w[0].1 - 1.0) * 1e7).round() as i64)
        .collect();
    let window = |at: usize| &returns[at..at + REPEATED_BLOCK];
    // A price that hardly moves repeats itself honestly: half of the returns must differ.
    let lively = |at: usize| window(at).iter().collect::<BTreeSet<_>>().len() >= REPEATED_BLOCK / 2;
    let mut starts: Vec<usize> = (0..(returns.len() + 1).saturating_sub(REPEATED_BLOCK))
        .filter(|&at| lively(at))
        .collect();
    starts.sort_by(|&a, &b| window(a).cmp(window(b)).then(a.cmp(&b)));
    starts
        .windows(2)
        .filter(|p| window(p[0]) == window(p[1]))
        .map(|p| (p[0], p[1]))
        .min()
        .map(|(a, b)| (closes[a].0, closes[b].0))
}

/// The day last found open: the bars of a day stand together.
#[derive(Default)]
struct OpenDay(Option<NaiveDate>);

impl OpenDay {
    fn closed_because(&mut self, date: NaiveDate) -> Option<&'static str> {
        if self.0 == Some(date) {
            return None;
        }
        let why = calendar::closed_because(date);
        if why.is_none() {
            self.0 = Some(date);
        }
        why
    }
}

/// The checks on one bar alone; the first fault found sets it aside.
fn check_bar(
    book: &mut Book,
    columns: &[(&'static str, &[f64])],
    row: usize,
    date: NaiveDate,
    open: &mut OpenDay,
) {
    if let Some((name, _)) = columns.iter().find(|(_, c)| !c[row].is_finite()) {
        let reason = format!("{name} is missing or not a number");
        return book.aside("unreadable_figure", row, date, reason);
    }
    for (name, column) in columns {
        let x = column[row];
        if *name == "volume" {
            if x < 0.0 {
                return book.aside("negative_volume", row, date, format!("volume is {x}"));
            }
        } else if x <= 0.0 {
            let reason = format!("{name} is {x}; a price is above zero");
            return book.aside("price_not_positive", row, date, reason);
        }
    }
    let of = |wanted: &str| {
        columns
            .iter()
            .find(|(n, _)| *n == wanted)
            .map(|(_, c)| c[row])
    };
    let (low, high) = (of("low"), of("high"));
    let inner = [("open", of("open")), ("close", of("close"))];
    let below = |a: f64| low.is_some_and(|l| a < l);
    let above = |a: f64| high.is_some_and(|h| a > h);
    let fault = match (low, high) {
        (Some(l), Some(h)) if l > h => Some(format!("low {l} is above high {h}")),
        _ => inner.iter().find_map(|(name, x)| {
            let x = (*x)?;
            if below(x) {
                Some(format!("{name} {x} is below low {}", low?))
            } else if above(x) {
                Some(format!("{name} {x} is above high {}", high?))
            } else {
                None
            }
        }),
    };
    if let Some(reason) = fault {
        return book.aside("ohlc_order", row, date, reason);
    }
    if let Some(why) = open.closed_because(date) {
        let reason = format!("the New York Stock Exchange was closed on {date}: {why}");
        book.aside("closed_day", row, date, reason);
    }
}

/// Completeness against the exchange calendar, where it reaches.
fn check_days(book: &mut Book, bars: &Bars, kept: &[usize]) {
    let (Some(&first), Some(&last)) = (kept.first(), kept.last()) else {
        return;
    };
    let expected: Vec<NaiveDate> = calendar::trading_days(bars.dates[first], bars.dates[last])
        .into_iter()
        .filter(|d| calendar::covers(*d))
        .collect();
    let usable: BTreeSet<NaiveDate> = kept.iter().map(|&r| bars.dates[r]).collect();
    let seen: BTreeSet<NaiveDate> = bars.dates.iter().copied().collect();
    let mut lacking = 0_usize;
    for day in expected.iter().filter(|d| !usable.contains(d)) {
        lacking += 1;
        if !seen.contains(day) {
            book.missing += 1;
            let reason = format!("the exchange was open on {day}, and there is no bar");
            book.add("missing_day", Severity::Note, None, Some(*day), reason);
        }
    }
    let share = lacking as f64 / expected.len().max(1) as f64;
    if share > MAX_MISSING_SHARE {
        book.refuse(
            "missing_share",
            format!(
                "{lacking} of {} trading days between {} and {} have no usable bar ({:.1} %); at most {:.0} % may lack{}",
                expected.len(),
                bars.dates[first],
                bars.dates[last],
                100.0 * share,
                100.0 * MAX_MISSING_SHARE,
                if share > 0.5 {
                    ", and a data set needs daily bars, not weekly or monthly ones"
                } else {
                    ""
                }
            ),
        );
    }
}

/// Jumps of the close, noted and kept.
fn check_jumps(book: &mut Book, close: &[f64], day: impl Fn(usize) -> NaiveDate, kept: &[usize]) {
    for pair in kept.windows(2) {
        let (was, is) = (close[pair[0]], close[pair[1]]);
        let change = is / was - 1.0;
        if change.abs() > JUMP {
            let reason = format!(
                "close went from {was} to {is} ({:+.1} %) and no split is recorded; kept",
                100.0 * change
            );
            book.note("jump", pair[1], day(pair[1]), reason);
        }
        let times = (is / was).max(was / is);
        let whole = times.round();
        if (2.0..=20.0).contains(&whole) && (times / whole - 1.0).abs() < SPLIT_NEARNESS {
            let reason = format!(
                "close went from {was} to {is}, nearly {whole} times {}: perhaps a {} split that the file is not adjusted for",
                if is < was { "less" } else { "more" },
                if is < was {
                    format!("{whole}-for-1")
                } else {
                    format!("1-for-{whole}")
                }
            );
            book.note("possible_split", pair[1], day(pair[1]), reason);
        }
    }
}

/// Runs of equal closes, noted and kept.
fn check_stale(book: &mut Book, bars: &Bars, kept: &[usize]) {
    for run in kept.chunk_by(|&a, &b| bars.close[a] == bars.close[b]) {
        if run.len() >= STALE_RUN {
            let (first, last) = (run[0], run[run.len() - 1]);
            let reason = format!(
                "close stayed at {} for {} days, until {}",
                bars.close[first],
                run.len(),
                bars.dates[last]
            );
            book.note("stale_run", first, bars.dates[first], reason);
            book.noted.extend(run);
        }
    }
}

/// Bars without trade, noted and kept.
fn check_volume(
    book: &mut Book,
    volume: Option<&[f64]>,
    day: impl Fn(usize) -> NaiveDate,
    kept: &[usize],
) {
    let Some(volume) = volume else { return };
    for &row in kept.iter().filter(|&&r| volume[r] == 0.0) {
        let reason = "nothing was traded, or the volume was not recorded".to_owned();
        book.note("zero_volume", row, day(row), reason);
    }
}

impl Admissible for Intraday {
    // `keep` gives the bars themselves, and rows out of order are set aside.
    const KEPT_WHOLE: bool = true;

    fn inspect(self) -> Inspection<Self> {
        let mut book = Book::default();
        let rows = self.len();
        let columns = self.columns();
        if let Some((name, column)) = columns.iter().find(|(_, c)| c.len() != rows) {
            let reason = format!("{rows} moments, but {} figures in {name}", column.len());
            book.refuse("shape", reason);
            return Inspection {
                usable: self.pick(&[]),
                report: book.close(rows, 0, MIN_ROWS),
            };
        }
        let days = self.days();
        let mut open = OpenDay::default();
        for (row, day) in days.iter().enumerate() {
            if self.stamps[row] == UNREADABLE_STAMP {
                let reason = "the moment is missing, cannot be read, or was skipped or shown twice by the clocks";
                book.aside("unreadable_date", row, UNREADABLE_DATE, reason.to_owned());
            } else {
                check_bar(&mut book, &columns, row, *day, &mut open);
            }
        }
        let same = |a: usize, b: usize| columns.iter().all(|(_, c)| c[a] == c[b]);
        let kept = in_order(&mut book, &self.stamps, Self::day, same);
        let day = |row: usize| days[row];
        check_jumps(&mut book, &self.close, day, &kept);
        check_volume(&mut book, self.volume.as_deref(), day, &kept);
        let usable = self.keep(&kept);
        check_sessions(&mut book, &usable);
        let report = book.close(rows, kept.len(), MIN_ROWS);
        Inspection { usable, report }
    }

    fn screen(&self) -> Vec<Finding> {
        // Columns of different length are refused by the checks; there is nothing to screen.
        if self.columns().iter().any(|(_, c)| c.len() != self.len()) {
            return Vec::new();
        }
        // The unreadable stamp is the first moment there is.
        let sound = self.stamps.first() != Some(&UNREADABLE_STAMP);
        if sound && self.stamps.is_sorted() {
            return self.daily().screen();
        }
        let mut rows: Vec<usize> = (0..self.len())
            .filter(|&r| self.stamps[r] != UNREADABLE_STAMP)
            .collect();
        rows.sort_by_key(|&r| self.stamps[r]);
        self.pick(&rows).daily().screen()
    }
}

/// Completeness of bars of less than a day against the sessions of the exchange.
fn check_sessions(book: &mut Book, bars: &Intraday) {
    let coverage = bars.coverage();
    for day in &coverage.missing {
        let reason = format!("the exchange was open on {day}, and there is no bar");
        book.add("missing_day", Severity::Note, None, Some(*day), reason);
    }
    for (day, found, expected) in &coverage.partial {
        let reason = format!("{found} of the {expected} bars of the session of {day}");
        book.add("partial_session", Severity::Note, None, Some(*day), reason);
    }
    if coverage.outside > 0 {
        let reason = format!(
            "{} bars are before the opening or after the close; kept",
            coverage.outside
        );
        book.add("outside_session", Severity::Note, None, None, reason);
    }
    // A minute in which nothing was traded has no bar; an hour without trade is a gap.
    let sparse = bars.minutes < SPARSE_MINUTES;
    let lacking = coverage.expected - coverage.found;
    let share = if sparse {
        coverage.missing.len() as f64 / coverage.sessions.max(1) as f64
    } else {
        lacking as f64 / coverage.expected.max(1) as f64
    };
    if !sparse {
        book.missing += lacking as u64;
    }
    if share > MAX_MISSING_SHARE {
        let reason = format!(
            "{:.1} % of the {} between the first and the last bar are missing; at most {:.0} % may lack",
            100.0 * share,
            if sparse {
                "sessions"
            } else {
                "bars of all sessions"
            },
            100.0 * MAX_MISSING_SHARE
        );
        book.refuse("missing_share", reason);
    }
}

impl Admissible for Series {
    fn inspect(self) -> Inspection<Self> {
        let mut book = Book::default();
        let rows = self.len();
        if self.known_at.len() != rows || self.values.len() != rows {
            let reason = format!(
                "{rows} dates, {} days of publication and {} values",
                self.known_at.len(),
                self.values.len()
            );
            book.refuse("shape", reason);
            return Inspection {
                usable: self.pick(&[]),
                report: book.close(rows, 0, MIN_ROWS),
            };
        }
        for row in 0..rows {
            let (date, known) = (self.dates[row], self.known_at[row]);
            if date == UNREADABLE_DATE || known == UNREADABLE_DATE {
                book.aside("unreadable_date", row, date, NO_DATE.to_owned());
            } else if !self.values[row].is_finite() {
                let reason = "the value is missing or not a number".to_owned();
                book.aside("unreadable_figure", row, date, reason);
            } else if known < date {
                let reason = format!("known on {known}, before its date {date}");
                book.aside("known_before_date", row, date, reason);
            }
        }
        let same = |a: usize, b: usize| {
            self.values[a] == self.values[b] && self.known_at[a] == self.known_at[b]
        };
        let kept = in_order(&mut book, &self.dates, |date| date, same);
        let report = book.close(rows, kept.len(), MIN_ROWS);
        Inspection {
            usable: self.pick(&kept),
            report,
        }
    }
}

impl Table {
    /// The checks of a table: it is used whole or not at all; `gaps` says whether figures may be missing.
    fn inspect_rows(self, least: usize, gaps: bool) -> Inspection<Self> {
        let mut book = Book::default();
        let rows = self.rows();
        let uneven = self
            .names
            .iter()
            .zip(&self.columns)
            .find(|(_, c)| c.len() != rows);
        let dates = self.dates.as_ref().map_or(rows, Vec::len);
        let fault = if self.names.len() != self.columns.len() {
            Some(format!(
                "{} names for {} columns",
                self.names.len(),
                self.columns.len()
            ))
        } else if let Some((name, column)) = uneven {
            Some(format!(
                "column \"{name}\" has {} rows, the first column has {rows}",
                column.len()
            ))
        } else if dates != rows {
            Some(format!("{dates} dates for {rows} rows"))
        } else {
            None
        };
        if let Some(reason) = fault {
            book.refuse("shape", reason);
        }
        for (name, column) in self.names.iter().zip(&self.columns) {
            let bad = |x: &f64| !(x.is_finite() || (gaps && x.is_nan()));
            if let Some(row) = column.iter().position(bad) {
                let reason = format!("column \"{name}\" row {} is not a finite number", row + 1);
                book.refuse("unreadable_figure", reason);
            }
        }
        let report = book.close(rows, rows, least);
        Inspection {
            usable: self,
            report,
        }
    }
}

impl Admissible for Table {
    fn inspect(self) -> Inspection<Self> {
        self.inspect_rows(MIN_ROWS, false)
    }
}

impl Admissible for WithGaps<Table> {
    fn inspect(self) -> Inspection<Self> {
        let Inspection { usable, report } = self.0.inspect_rows(MIN_ROWS, true);
        Inspection {
            usable: Self(usable),
            report,
        }
    }
}

impl Admissible for WithGaps<Unseen> {
    fn inspect(self) -> Inspection<Self> {
        let Inspection { usable, report } = self.0.0.inspect_rows(1, true);
        Inspection {
            usable: Self(Unseen(usable)),
            report,
        }
    }
}

impl Admissible for Unseen {
    fn inspect(self) -> Inspection<Self> {
        let Inspection { usable, report } = self.0.inspect_rows(1, false);
        Inspection {
            usable: Self(usable),
            report,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mltrainer_compliance::{Arrival, Gate};

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    /// The first `n` trading days of 2004 with closes 100, 101, 102, ...
    fn plain(n: usize) -> Bars {
        let dates: Vec<NaiveDate> = calendar::trading_days(day(2004, 1, 1), day(2006, 1, 1))
            .into_iter()
            .take(n)
            .collect();
        let close: Vec<f64> = (0..n).map(|i| 100.0 + i as f64).collect();
        Bars {
            symbol: "X".to_owned(),
            dates,
            open: Some(close.clone()),
            high: Some(close.iter().map(|c| c + 1.0).collect()),
            low: Some(close.iter().map(|c| c - 1.0).collect()),
            close,
            volume: Some(vec![1000.0; n]),
        }
    }

    fn counts(report: &QualityReport) -> Vec<(&str, u64)> {
        report
            .counts
            .iter()
            .map(|(check, n)| (check.as_str(), *n))
            .collect()
    }

    fn refusal(report: &QualityReport) -> Option<&str> {
        report
            .findings
            .iter()
            .find(|f| f.severity == Severity::Refuse)
            .map(|f| f.check.as_str())
    }

    #[test]
    fn flawless_bars_pass_untouched() {
        let b = plain(40);
        let seen = b.clone().inspect();
        assert_eq!(seen.usable, b);
        assert_eq!(
            (
                seen.report.score,
                seen.report.rows,
                seen.report.usable,
                seen.report.quarantined
            ),
            (100.0, 40, 40, 0)
        );
        assert!(seen.report.findings.is_empty());
    }

    #[test]
    fn each_bad_row_is_set_aside_for_its_reason() {
        let mut b = plain(400);
        b.dates[1] = UNREADABLE_DATE;
        b.close[2] = f64::NAN;
        if let (Some(open), Some(low), Some(high), Some(volume)) =
            (&mut b.open, &mut b.low, &mut b.high, &mut b.volume)
        {
            volume[3] = -1.0;
            low[4] = 0.0;
            open[5] = low[5] - 0.5;
            high[6] = b.close[6] - 0.5;
            low[7] = high[7] + 1.0;
        }
        // 2004-01-15 (row 9 from 0) is written as Saturday the 17th, the 16th as the holiday on Monday.
        b.dates[9] = day(2004, 1, 17);
        b.dates[10] = day(2004, 1, 19);
        let seen = b.inspect();
        assert_eq!(
            counts(&seen.report),
            [
                ("closed_day", 2),
                // Rows 1, 9 and 10 have other dates now, so three trading days have no bar.
                ("missing_day", 3),
                ("negative_volume", 1),
                ("ohlc_order", 3),
                ("price_not_positive", 1),
                ("unreadable_date", 1),
                ("unreadable_figure", 1)
            ]
        );
        assert_eq!(seen.report.quarantined, 9);
        assert_eq!(seen.usable.len(), 391);
        // 100 (1 - (9 + 3) / 403) = 97.02 to two decimals.
        assert_eq!(seen.report.score, 97.02);
        let reasons: Vec<String> = seen
            .report
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Quarantine)
            .map(|f| format!("{} {}", f.row.unwrap(), f.reason))
            .collect();
        assert_eq!(
            reasons,
            [
                "2 the date is missing or cannot be read",
                "3 close is missing or not a number",
                "4 volume is -1",
                "5 low is 0; a price is above zero",
                "6 open 103.5 is below low 104",
                "7 open 106 is above high 105.5",
                "8 low 109 is above high 108",
                "10 the New York Stock Exchange was closed on 2004-01-17: weekend",
                "11 the New York Stock Exchange was closed on 2004-01-19: Martin Luther King Day"
            ]
        );
        assert_eq!(refusal(&seen.report), None);
    }

    #[test]
    fn duplicates_and_order() {
        let mut b = plain(60);
        // Row 11 repeats row 10; rows 20 and 21 contradict each other on one day.
        for column in [&mut b.open, &mut b.high, &mut b.low].into_iter().flatten() {
            column[11] = column[10];
        }
        b.close[11] = b.close[10];
        b.dates[11] = b.dates[10];
        b.dates[21] = b.dates[20];
        // Row 30 carries a date far ahead: it alone is out of order, not all that follow.
        b.dates[30] = day(2004, 12, 1);
        let seen = b.inspect();
        assert_eq!(seen.report.counts["duplicate_date"], 3);
        assert_eq!(seen.report.counts["unsorted_date"], 1);
        assert_eq!(seen.usable.len(), 56);
        assert!(seen.usable.dates.windows(2).all(|w| w[0] < w[1]));
        let rows: Vec<u64> = seen.report.findings.iter().filter_map(|f| f.row).collect();
        assert_eq!(rows, [12, 21, 22, 31]);
    }

    #[test]
    fn newest_first_is_read_from_the_end() {
        let b = plain(30);
        let turned = b.pick(&(0..30).rev().collect::<Vec<_>>());
        let seen = turned.inspect();
        assert_eq!(seen.usable, b);
        assert_eq!(counts(&seen.report), [("newest_first", 1)]);
        assert_eq!(seen.report.score, 100.0);
    }

    #[test]
    fn missing_days_are_listed_and_too_many_refused() {
        // 5 of 100 days lack: exactly 5 %, which may be. The first and last day stay.
        let b = plain(100);
        let keep = |lack: usize| -> Bars {
            let rows: Vec<usize> = (0..100).filter(|i| *i < 10 || *i >= 10 + lack).collect();
            b.pick(&rows)
        };
        let seen = keep(5).inspect();
        assert_eq!(counts(&seen.report), [("missing_day", 5)]);
        assert_eq!(seen.report.findings[0].date, Some(b.dates[10]));
        // 100 (1 - 5 / 100)
        assert_eq!((seen.report.score, refusal(&seen.report)), (95.0, None));
        let seen = keep(6).inspect();
        assert_eq!(refusal(&seen.report), Some("missing_share"));
        // Rows set aside lack as well.
        let mut bad = b.clone();
        bad.close[20..26].fill(-1.0);
        assert_eq!(refusal(&bad.inspect().report), Some("missing_share"));
    }

    #[test]
    fn extreme_moves_stale_runs_and_days_without_trade_are_noted_and_kept() {
        let mut b = plain(40);
        (b.open, b.high, b.low) = (None, None, None);
        // From 109 to 55: -49.5 %, no jump; back to 111: +101.8 %, a jump. Both nearly twice.
        b.close[10] = 55.0;
        b.close[20..25].fill(120.0);
        b.close[30..34].fill(130.0); // four equal ones, not noted
        b.close[34] = 131.0;
        if let Some(v) = &mut b.volume {
            v[24] = 0.0;
            v[39] = 0.0;
        }
        let seen = b.inspect();
        assert_eq!(
            counts(&seen.report),
            [
                ("jump", 1),
                ("possible_split", 2),
                ("stale_run", 1),
                ("zero_volume", 2)
            ]
        );
        assert_eq!(seen.usable.len(), 40);
        // Noted rows: 10, 11, 20 to 24 and 39 (24 counts once): 100 (1 - 0.8 / 40).
        assert_eq!(seen.report.score, 98.0);
        let reasons: Vec<&str> = seen.report.findings[..2]
            .iter()
            .map(|f| f.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            [
                "close went from 109 to 55, nearly 2 times less: perhaps a 2-for-1 split that the file is not adjusted for",
                "close went from 55 to 111 (+101.8 %) and no split is recorded; kept"
            ]
        );
    }

    #[test]
    fn too_few_rows_are_refused_and_lists_are_capped() {
        assert_eq!(refusal(&plain(20).inspect().report), None);
        assert_eq!(refusal(&plain(19).inspect().report), Some("few_rows"));
        let empty = plain(0).inspect().report;
        assert_eq!((refusal(&empty), empty.score), (Some("few_rows"), 0.0));
        let mut b = plain(100);
        b.close.fill(0.0);
        let report = b.inspect().report;
        assert_eq!(report.counts["price_not_positive"], 100);
        assert_eq!(report.findings.len() as u64, LISTED + 1);
        assert_eq!(refusal(&report), Some("few_rows"));
        let mut uneven = plain(30);
        uneven.close.pop();
        let seen = uneven.inspect();
        assert_eq!(refusal(&seen.report), Some("shape"));
        assert!(seen.usable.is_empty());
    }

    fn admit(b: &Bars) -> Result<(), (String, Vec<String>)> {
        Gate::admit(Arrival {
            origin: "user_provided".to_owned(),
            request: "x.csv".to_owned(),
            promised_sha256: None,
            content: b.clone(),
        })
        .map(|_| ())
        .map_err(|r| {
            let checks = r.report.map_or(Vec::new(), |q| {
                q.findings.into_iter().map(|f| f.check).collect()
            });
            (r.refusal.rule, checks)
        })
    }

    #[test]
    fn manufactured_series_are_refused_in_the_name_of_their_rule() {
        let closes_only = |dates: Vec<NaiveDate>, close: Vec<f64>| Bars {
            symbol: "X".to_owned(),
            dates,
            close,
            ..Bars::default()
        };
        // A bar on every day of the week.
        let all_week: Vec<NaiveDate> = day(2004, 1, 1).iter_days().take(70).collect();
        let b = closes_only(all_week, plain(70).close);
        let (rule, checks) = admit(&b).unwrap_err();
        assert_eq!(rule, "no_synthetic_data");
        assert!(checks.contains(&"weekend_share".to_owned()));
        // Thirty returns pasted twice, at another level.
        let mut close = vec![50.0];
        let block: Vec<f64> = (0..30)
            .map(|i| ((i * 37 % 17) as f64 - 8.0) / 400.0)
            .collect();
        for r in block.iter().chain(&[0.004, -0.003]).chain(&block) {
            close.push(close.last().unwrap() * (1.0 + r));
        }
        let dates = plain(close.len()).dates;
        let b = closes_only(dates.clone(), close.clone());
        assert_eq!(admit(&b).unwrap_err().1, ["repeated_block"]);
        // The same rows pasted twice are duplicates: set aside, not refused.
        let mut twice = closes_only(dates[..33].to_vec(), close[..33].to_vec());
        twice.dates.extend_from_within(..);
        twice.close.extend_from_within(..);
        assert_eq!(admit(&twice), Ok(()));
        // A price that stands still repeats itself honestly.
        let b = closes_only(dates, vec![10.0; close.len()]);
        assert_eq!(admit(&b), Ok(()));
        assert_eq!(admit(&plain(300)), Ok(()));
    }

    #[test]
    fn series_and_tables() {
        let dates = plain(30).dates;
        let good = Series {
            id: "X".to_owned(),
            known_at: dates.clone(),
            values: vec![1.0; 30],
            dates,
        };
        assert_eq!(good.clone().inspect().usable, good);
        let mut bad = good.clone();
        bad.values[1] = f64::INFINITY;
        bad.known_at[3] = bad.dates[2];
        bad.dates[5] = bad.dates[4];
        bad.known_at[5] = bad.known_at[4];
        let seen = bad.inspect();
        assert_eq!(
            counts(&seen.report),
            [
                ("duplicate_date", 1),
                ("known_before_date", 1),
                ("unreadable_figure", 1)
            ]
        );
        assert_eq!(seen.usable.len(), 27);
        let mut uneven = good;
        uneven.values.pop();
        assert_eq!(refusal(&uneven.inspect().report), Some("shape"));

        let table = |rows: usize| Table {
            dates: None,
            names: vec!["a".to_owned()],
            columns: vec![vec![1.5; rows]],
        };
        assert_eq!(refusal(&table(20).inspect().report), None);
        assert_eq!(refusal(&table(19).inspect().report), Some("few_rows"));
        assert_eq!(refusal(&Unseen(table(1)).inspect().report), None);
        assert_eq!(
            refusal(&Unseen(table(0)).inspect().report),
            Some("few_rows")
        );
        let mut t = table(30);
        t.columns[0][4] = f64::NAN;
        let report = t.inspect().report;
        assert_eq!(refusal(&report), Some("unreadable_figure"));
        assert_eq!(
            report.findings[0].reason,
            "column \"a\" row 5 is not a finite number"
        );
        let mut t = table(30);
        t.names.push("b".to_owned());
        assert_eq!(refusal(&t.inspect().report), Some("shape"));
    }
}
