//! Bars of less than a day: minutes to hours, stamped with the begin of the bar in UTC.
//!
//! Which day a bar belongs to and which bars a session should have is told by the clocks of New York
//! and the exchange calendar, half days included. Bars may begin on the hour (9:00, 10:00 ...) or with
//! the session (9:30, 10:30 ...): the grid is told from the bars. The first bar of a session may begin
//! before its opening and the last one end after its close; bars wholly outside are kept.

use crate::bars::Bars;
use crate::calendar::{self, Session};
use chrono::{
    DateTime, NaiveDate, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Timelike, Utc,
};
use chrono_tz::America::New_York;
use mltrainer_compliance::{Content, Digest};

/// The stamp of a bar whose moment could not be read. It exists only before the gate: the checks
/// set such rows aside.
pub const UNREADABLE_STAMP: DateTime<Utc> = DateTime::<Utc>::MIN_UTC;

/// Bars of one symbol: columns of equal length. After the gate stamps ascend strictly, every figure
/// is finite, prices are above zero and `low <= open, close <= high`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intraday {
    /// Symbol, in capitals.
    pub symbol: String,
    /// Length of a bar in minutes.
    pub minutes: u32,
    /// Begin of each bar.
    pub stamps: Vec<DateTime<Utc>>,
    /// Opening prices, where the source has them.
    pub open: Option<Vec<f64>>,
    /// Highest prices, where the source has them.
    pub high: Option<Vec<f64>>,
    /// Lowest prices, where the source has them.
    pub low: Option<Vec<f64>>,
    /// Closing prices.
    pub close: Vec<f64>,
    /// Shares traded, where the source has them.
    pub volume: Option<Vec<f64>>,
}

/// How the bars compare with the sessions of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Sessions from the first to the last bar.
    pub sessions: usize,
    /// Bars that the sessions between the first and the last bar should have.
    pub expected: usize,
    /// Of these, how many there are.
    pub found: usize,
    /// Bars wholly before an opening or after a close.
    pub outside: usize,
    /// Sessions without any bar.
    pub missing: Vec<NaiveDate>,
    /// Sessions with fewer bars than they should have: day, bars found, bars expected.
    pub partial: Vec<(NaiveDate, usize, usize)>,
}

impl Intraday {
    /// Number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stamps.len()
    }

    /// Whether there is no bar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stamps.is_empty()
    }

    /// The day of a bar on the clocks of New York.
    #[must_use]
    pub fn day(stamp: DateTime<Utc>) -> NaiveDate {
        stamp.with_timezone(&New_York).date_naive()
    }

    /// The days of all bars on the clocks of New York.
    pub(crate) fn days(&self) -> Vec<NaiveDate> {
        let mut clock = Clock::default();
        let day = |t: &DateTime<Utc>| clock.day(*t);
        self.stamps.iter().map(day).collect()
    }

    /// These rows (from 0): the bars as they are where all are kept in their order.
    #[must_use]
    pub(crate) fn keep(self, rows: &[usize]) -> Self {
        if rows.len() == self.len() && rows.iter().enumerate().all(|(i, r)| i == *r) {
            self
        } else {
            self.pick(rows)
        }
    }

    /// The rows of these numbers (from 0), in the order given.
    #[must_use]
    pub(crate) fn pick(&self, rows: &[usize]) -> Self {
        let column = |c: &[f64]| rows.iter().map(|&r| c[r]).collect::<Vec<_>>();
        Self {
            symbol: self.symbol.clone(),
            minutes: self.minutes,
            stamps: rows.iter().map(|&r| self.stamps[r]).collect(),
            open: self.open.as_deref().map(column),
            high: self.high.as_deref().map(column),
            low: self.low.as_deref().map(column),
            close: column(&self.close),
            volume: self.volume.as_deref().map(column),
        }
    }

    /// The columns in their fixed order with their names; absent ones are left out.
    pub(crate) fn columns(&self) -> Vec<(&'static str, &[f64])> {
        [
            ("open", self.open.as_deref()),
            ("high", self.high.as_deref()),
            ("low", self.low.as_deref()),
            ("close", Some(self.close.as_slice())),
            ("volume", self.volume.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, column)| column.map(|c| (name, c)))
        .collect()
    }

    /// Where the grid of bars begins, in minutes after midnight modulo the length of a bar: that of
    /// most bars.
    fn grid(&self) -> u32 {
        let length = self.minutes.clamp(1, MINUTES_A_DAY);
        if length == 1 {
            return 0;
        }
        let mut counts = [0_usize; MINUTES_A_DAY as usize];
        let mut clock = Clock::default();
        for stamp in &self.stamps {
            counts[(clock.minute(*stamp) % length) as usize] += 1;
        }
        // The earliest of the most frequent ones; zero where there is no bar.
        let most = counts.iter().max();
        counts
            .iter()
            .position(|n| Some(n) == most)
            .and_then(|at| u32::try_from(at).ok())
            .unwrap_or_default()
    }

    /// Compares the bars with the sessions from the first to the last of them. Stamps must ascend.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let (Some(first), Some(last)) = (self.stamps.first(), self.stamps.last()) else {
            return Coverage::default();
        };
        let (grid, length) = (i64::from(self.grid()), i64::from(self.minutes.max(1)));
        let mut coverage = Coverage::default();
        let mut inside = 0;
        for session in calendar::sessions(Self::day(*first), Self::day(*last)) {
            let (from, expected) = slots(&session, grid, length);
            let from = self.stamps.partition_point(|t| *t < from);
            let to = self.stamps.partition_point(|t| *t < session.close);
            let found = to.saturating_sub(from).min(expected);
            inside += to.saturating_sub(from);
            coverage.sessions += 1;
            coverage.expected += expected;
            coverage.found += found;
            if found == 0 {
                coverage.missing.push(session.date);
            } else if found < expected {
                coverage.partial.push((session.date, found, expected));
            }
        }
        coverage.outside = self.len() - inside;
        coverage
    }

    /// Daily bars out of these: first open (the first close where there is none), highest high, lowest
    /// low, last close and the sum of the volumes of each day's bars within the session. Stamps must
    /// ascend. Days without a session are left out.
    #[must_use]
    pub fn daily(&self) -> Bars {
        let (grid, length) = (i64::from(self.grid()), i64::from(self.minutes.max(1)));
        let mut bars = Bars {
            symbol: self.symbol.clone(),
            open: self.open.as_ref().map(|_| Vec::new()),
            high: self.high.as_ref().map(|_| Vec::new()),
            low: self.low.as_ref().map(|_| Vec::new()),
            volume: self.volume.as_ref().map(|_| Vec::new()),
            ..Bars::default()
        };
        let days = self.days();
        let mut from = 0;
        for day in days.chunk_by(|a, b| a == b) {
            let (date, end) = (day[0], from + day.len());
            let session = calendar::session(date);
            let (a, b) = session.map_or((from, from), |s| {
                let begin = slots(&s, grid, length).0;
                let part = &self.stamps[from..end];
                (
                    from + part.partition_point(|t| *t < begin),
                    from + part.partition_point(|t| *t < s.close),
                )
            });
            from = end;
            if a >= b {
                continue;
            }
            bars.dates.push(date);
            bars.close.push(self.close[b - 1]);
            let put = |to: &mut Option<Vec<f64>>, x: Option<f64>| {
                if let (Some(to), Some(x)) = (to, x) {
                    to.push(x);
                }
            };
            let of = |c: &Option<Vec<f64>>, fold: fn(f64, f64) -> f64| {
                c.as_ref()
                    .and_then(|c| c[a..b].iter().copied().reduce(fold))
            };
            put(&mut bars.open, of(&self.open, |first, _| first));
            put(&mut bars.high, of(&self.high, f64::max));
            put(&mut bars.low, of(&self.low, f64::min));
            put(&mut bars.volume, of(&self.volume, |sum, v| sum + v));
        }
        bars
    }
}

/// Minutes of a day.
const MINUTES_A_DAY: u32 = 1440;

/// The clocks of New York. They remember the day of the moment they were last asked for, as bars of
/// one day stand together.
#[derive(Default)]
struct Clock {
    /// The UTC seconds in which this day begins and ends and the clocks are not changed.
    from: i64,
    to: i64,
    day: NaiveDate,
}

impl Clock {
    /// The day of a moment.
    fn day(&mut self, at: DateTime<Utc>) -> NaiveDate {
        let seconds = at.timestamp();
        if seconds < self.from || seconds >= self.to {
            self.ask(at);
        }
        self.day
    }

    /// Minutes after midnight of a moment.
    fn minute(&mut self, at: DateTime<Utc>) -> u32 {
        self.day(at);
        let minutes = (at.timestamp() - self.from).div_euclid(60);
        u32::try_from(minutes).unwrap_or_default() % MINUTES_A_DAY
    }

    fn ask(&mut self, at: DateTime<Utc>) {
        let offset = |t: DateTime<Utc>| {
            i64::from(
                New_York
                    .offset_from_utc_datetime(&t.naive_utc())
                    .fix()
                    .local_minus_utc(),
            )
        };
        let here = offset(at);
        // The first moment there is, an unreadable stamp, has nothing before it.
        let local = at
            .naive_utc()
            .checked_add_signed(TimeDelta::seconds(here))
            .unwrap_or(NaiveDateTime::MIN);
        self.day = local.date();
        let begin = at.timestamp() - i64::from(local.num_seconds_from_midnight());
        let end = begin + i64::from(MINUTES_A_DAY) * 60;
        let same = |t: i64| DateTime::from_timestamp(t, 0).map(offset) == Some(here);
        // On a day that changes its clocks every moment is asked for.
        (self.from, self.to) = if same(begin) && same(end) {
            (begin, end)
        } else {
            (begin, begin)
        };
    }
}

/// Begin of the first bar that touches a session, and how many do.
fn slots(session: &Session, grid: i64, length: i64) -> (DateTime<Utc>, usize) {
    let local = session.open.with_timezone(&New_York);
    let minute = i64::from(local.hour() * 60 + local.minute());
    let early = (minute - grid).rem_euclid(length);
    let bars = (session.minutes() + early + length - 1) / length;
    (
        session.open - TimeDelta::minutes(early),
        usize::try_from(bars).unwrap_or_default(),
    )
}

/// The length of a bar: the most frequent distance of neighbours, in whole minutes, at least one.
pub(crate) fn bar_minutes(stamps: &[DateTime<Utc>]) -> u32 {
    let mut counts = [0_usize; 720];
    for pair in stamps.windows(2) {
        let minutes = (pair[1] - pair[0]).num_minutes().unsigned_abs();
        if let Some(count) = counts.get_mut(minutes as usize) {
            *count += 1;
        }
    }
    // Of those that are as frequent the shortest: the last one seen of the largest wins.
    (1..720)
        .rev()
        .filter(|m| counts[*m] > 0)
        .max_by_key(|m| counts[*m])
        .map_or(1, |m| m as u32)
}

impl Content for Intraday {
    fn digest(&self, d: &mut Digest) {
        d.text("intraday").text(&self.symbol);
        d.int(i64::from(self.minutes));
        d.ints(&self.stamps, DateTime::timestamp);
        let columns = self.columns();
        d.int(columns.len() as i64);
        for (name, column) in columns {
            d.text(name).floats(column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{self, Mapping};
    use mltrainer_compliance::Admissible as _;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    fn read(text: &str) -> Intraday {
        match import::read(text.as_bytes(), "X", &Mapping::default()).unwrap() {
            import::Content::Intraday(bars) => bars,
            import::Content::Daily(_) => panic!("daily"),
        }
    }

    /// Hourly bars on the hour, New York time, over the half day of 2023-11-24 (9:30 to 13:00) and the
    /// full Monday after it: four bars touch the first (9 to 12), seven the second (9 to 15). One of
    /// Monday's is left out and one after the close added.
    #[test]
    fn sessions_and_half_days() {
        let mut text = "date,open,high,low,close,volume\n".to_owned();
        for hour in 9..13 {
            text.push_str(&format!(
                "2023-11-24T{hour:02}:00:00,{hour},{},1,{hour}.5,10\n",
                hour + 1
            ));
        }
        for hour in [9, 10, 12, 13, 14, 15, 16] {
            text.push_str(&format!(
                "2023-11-27T{hour:02}:00:00,{hour},{},2,{hour}.5,20\n",
                hour + 1
            ));
        }
        let bars = read(&text);
        assert_eq!(bars.minutes, 60);
        // New York is five hours behind UTC in November.
        assert_eq!(bars.stamps[0].to_rfc3339(), "2023-11-24T14:00:00+00:00");
        let coverage = bars.coverage();
        assert_eq!(
            (coverage.expected, coverage.found, coverage.outside),
            (11, 10, 1)
        );
        assert_eq!(coverage.partial, [(day(2023, 11, 27), 6, 7)]);
        assert!(coverage.missing.is_empty());
        let daily = bars.daily();
        assert_eq!(daily.dates, [day(2023, 11, 24), day(2023, 11, 27)]);
        assert_eq!(daily.open, Some(vec![9.0, 9.0]));
        assert_eq!(daily.high, Some(vec![13.0, 16.0]));
        assert_eq!(daily.low, Some(vec![1.0, 2.0]));
        assert_eq!(daily.close, [12.5, 15.5]);
        assert_eq!(daily.volume, Some(vec![40.0, 120.0]));
    }

    /// Bars that begin with the session: 9:30 ... 15:30 are seven an hour long, 390 a minute long.
    #[test]
    fn the_grid_may_begin_with_the_session() {
        let mut text = "time,close\n".to_owned();
        for minute in 570..960 {
            let (h, m) = (minute / 60, minute % 60);
            text.push_str(&format!("2024-07-02 {h:02}:{m:02},5\n"));
        }
        for minute in 570..780 {
            let (h, m) = (minute / 60, minute % 60);
            text.push_str(&format!("2024-07-03 {h:02}:{m:02},6\n"));
        }
        let coverage = read(&text).coverage();
        // The 3rd of July 2024 ends at 13:00: 210 minutes.
        assert_eq!(
            (coverage.expected, coverage.found, coverage.outside),
            (600, 600, 0)
        );
        let mut text = "time,close\n".to_owned();
        for date in ["2024-07-01", "2024-07-02"] {
            for hour in 9..16 {
                text.push_str(&format!("{date} {hour:02}:30,5\n"));
            }
        }
        let coverage = read(&text).coverage();
        assert_eq!((coverage.expected, coverage.found), (14, 14));
    }

    /// Offsets in the file count; clocks that were put forward or back leave some times out.
    #[test]
    fn clocks() {
        let bars = read(
            "date,close\n2024-03-08T14:30:00Z,1\n2024-03-08T15:30:00Z,1\n2024-03-11T09:30:00-04:00,1\n2024-03-11T10:30:00-0400,1\n",
        );
        let utc: Vec<String> = bars
            .stamps
            .iter()
            .map(|t| t.format("%d %H:%M").to_string())
            .collect();
        assert_eq!(utc, ["08 14:30", "08 15:30", "11 13:30", "11 14:30"]);
        // 2:30 on 2024-03-10 did not exist in New York, 1:30 on 2024-11-03 was there twice.
        let bars = read(
            "date,close\n2024-03-10 02:30,1\n2024-03-10 04:30,1\n2024-11-03 01:30,1\n2024-11-03 04:30,1\n",
        );
        assert_eq!(bars.stamps[0], UNREADABLE_STAMP);
        assert_eq!(bars.stamps[1].to_rfc3339(), "2024-03-10T08:30:00+00:00");
        assert_eq!(bars.stamps[2], UNREADABLE_STAMP);
        assert_eq!(bars.stamps[3].to_rfc3339(), "2024-11-03T09:30:00+00:00");
        // The gate sets such rows aside and takes the others.
        let mut rows: Vec<String> = calendar::trading_days(day(2024, 3, 11), day(2024, 3, 22))
            .iter()
            .flat_map(|d| (9..16).map(move |h| format!("{d} {h:02}:30,{h}")))
            .collect();
        rows.insert(0, "2024-03-10 02:30,9".to_owned());
        rows.swap(20, 30);
        let bars = read(&format!("date,close\n{}\n", rows.join("\n")));
        assert!(bars.screen().is_empty());
        let seen = bars.inspect();
        assert_eq!(seen.report.counts["unreadable_date"], 1);
        assert_eq!(seen.report.quarantined, 3);
        // The same hour elsewhere, by the mapping.
        let mapping = Mapping::parse("zone=Europe/Berlin").unwrap();
        let text = b"date,close\n2024-07-01 15:30,1\n2024-07-01 16:30,1\n";
        let import::Content::Intraday(bars) = import::read(text, "X", &mapping).unwrap() else {
            panic!("daily");
        };
        assert_eq!(bars.stamps[0].to_rfc3339(), "2024-07-01T13:30:00+00:00");
    }
}
