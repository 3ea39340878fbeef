//! Vendors of data: one file each behind one trait, one client for what they share.
//!
//! | file | vendor | gives |
//! |---|---|---|
//! | `polygon` | Polygon.io (Massive) | bars of days, hours and minutes, splits, dividends, tickers, news, snapshots, option chains, market status and holidays |
//! | `stream` | Polygon.io | minute bars as they happen, over a WebSocket |
//! | `fred` | FRED, St. Louis Fed | economic series with their vintages, what is known of a series, release dates |
//! | `alpha_vantage` | Alpha Vantage | bars of days, hours and minutes, splits, dividends |
//! | `fmp` | Financial Modeling Prep | daily bars, splits, dividends |
//! | `yahoo` | Yahoo Finance | daily bars, splits, dividends |
//!
//! [`client`] tries again, waits, gives up and keeps keys out of every text; [`error`] says why
//! nothing came. A source only fetches: [`crate::shelf`] keeps what came, and the gate decides
//! whether it may be used. Prices come as traded; splits and dividends come apart.

pub mod alpha_vantage;
pub mod breaker;
pub mod client;
pub mod collect;
pub mod error;
pub mod fmp;
pub mod fred;
mod key;
mod lenient;
mod limiter;
pub mod polygon;
pub mod stream;
mod tls;
pub mod yahoo;

pub use client::{Call, Limits, Now, Progress, Standing, Step};
pub use error::{Cause, SourceError};
pub use key::Key;

use crate::actions::Actions;
use crate::bars::{Bars, Split};
use crate::intraday::Intraday;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::America::New_York;
use client::{Auth, Client, Make};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The time that one bar covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A trading day.
    Day,
}

impl Span {
    /// The word on the wire and in paths.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// A question for bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarsAsk {
    /// Symbol, in capitals; `^` in front stands for an index.
    pub symbol: String,
    /// First day.
    pub start: NaiveDate,
    /// Last day, included.
    pub end: NaiveDate,
    /// Time that one bar covers.
    pub span: Span,
    /// Adjusted for splits by the vendor, instead of as traded.
    pub adjusted: bool,
}

impl BarsAsk {
    /// Symbol and span, for errors.
    #[must_use]
    pub fn subject(&self) -> String {
        let span = match self.span {
            Span::Day => String::new(),
            other => format!(" ({} bars)", other.as_str()),
        };
        format!("{} from {} to {}{span}", self.symbol, self.start, self.end)
    }
}

/// A question for an economic series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesAsk {
    /// Name of the series.
    pub id: String,
    /// First date.
    pub start: NaiveDate,
    /// Last date, included.
    pub end: NaiveDate,
    /// The day as of which it is wanted: what was published by then. `None`: each figure as it was
    /// first published.
    pub as_of: Option<NaiveDate>,
}

impl SeriesAsk {
    /// Series and span, for errors.
    #[must_use]
    pub fn subject(&self) -> String {
        let as_of = self
            .as_of
            .map_or_else(String::new, |d| format!(" as of {d}"));
        format!("{} from {} to {}{as_of}", self.id, self.start, self.end)
    }
}

/// Bars as a vendor gives them: columns of equal length in the vendor's order. A figure that is
/// missing is NaN; the gate sets such rows aside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Candles {
    /// When a bar begins; for a daily bar some moment of that day in New York.
    pub at: Vec<DateTime<Utc>>,
    /// Opening prices.
    pub open: Vec<f64>,
    /// Highest prices.
    pub high: Vec<f64>,
    /// Lowest prices.
    pub low: Vec<f64>,
    /// Closing prices.
    pub close: Vec<f64>,
    /// Shares traded.
    pub volume: Vec<f64>,
}

impl Candles {
    /// Number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is no bar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// One bar more: open, high, low, close, volume.
    pub fn push(&mut self, at: DateTime<Utc>, figures: [f64; 5]) {
        self.at.push(at);
        let [open, high, low, close, volume] = figures;
        self.open.push(open);
        self.high.push(high);
        self.low.push(low);
        self.close.push(close);
        self.volume.push(volume);
    }

    /// The days on which the bars begin, in New York.
    #[must_use]
    pub fn days(&self) -> Vec<NaiveDate> {
        self.at
            .iter()
            .map(|t| t.with_timezone(&New_York).date_naive())
            .collect()
    }

    /// Bars of so many minutes; without a volume when the vendor gave none at all.
    #[must_use]
    pub fn into_intraday(self, symbol: &str, minutes: u32) -> Intraday {
        let volume = self.volume.iter().any(|v| v.is_finite());
        Intraday {
            symbol: symbol.to_owned(),
            minutes,
            stamps: self.at,
            open: Some(self.open),
            high: Some(self.high),
            low: Some(self.low),
            close: self.close,
            volume: volume.then_some(self.volume),
        }
    }

    /// Daily bars; without a volume when the vendor gave none at all.
    #[must_use]
    pub fn into_bars(self, symbol: &str) -> Bars {
        let volume = self.volume.iter().any(|v| v.is_finite());
        Bars {
            symbol: symbol.to_owned(),
            dates: self.days(),
            open: Some(self.open),
            high: Some(self.high),
            low: Some(self.low),
            close: self.close,
            volume: volume.then_some(self.volume),
        }
    }
}

/// Both lists by date, each entry once.
pub(crate) fn in_order(mut actions: Actions) -> Actions {
    actions.splits.sort_by_key(|s| s.date);
    actions.splits.dedup();
    actions.dividends.sort_by_key(|d| d.date);
    actions.dividends.dedup();
    actions
}

/// `new` shares for `old` ones, which may be fractions, as a split in whole shares; `None` when it
/// is none.
pub(crate) fn split(date: NaiveDate, new: f64, old: f64) -> Option<Split> {
    if !(new > 0.0 && old > 0.0 && new.is_finite() && old.is_finite()) {
        return None;
    }
    let whole = |x: f64| (x - x.round()).abs() < 1e-9 * x.max(1.0);
    let mut factor = 1.0;
    while !(whole(new * factor) && whole(old * factor)) {
        factor *= 10.0;
        if factor > 1e6 {
            return None;
        }
    }
    let (mut a, mut b) = ((new * factor).round() as u64, (old * factor).round() as u64);
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a, b) = (a / x.max(1), b / x.max(1));
    Some(Split {
        date,
        new_shares: u32::try_from(a).ok()?,
        for_old: u32::try_from(b).ok()?,
    })
}

/// A figure of a series as it was known in a span of days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The date it belongs to.
    pub date: NaiveDate,
    /// The first day on which it stood so.
    pub known_from: NaiveDate,
    /// The last day on which it stood so.
    pub known_until: NaiveDate,
    /// The figure; `None` when none was published.
    pub value: Option<f64>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What came.
    pub content: T,
    /// What was asked, without host and key.
    pub request: String,
    /// The vendor's id of the request, where it gives one.
    pub request_id: Option<String>,
    /// Where the next page is; to be handed back as it is.
    pub next: Option<String>,
}

/// What can be looked at besides bars and series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What is known of a symbol.
    Tickers,
    /// News on a symbol.
    News,
    /// A symbol's prices now.
    Snapshot,
    /// The options on a symbol.
    Options,
    /// Whether markets are open.
    Status,
    /// Days on which markets will be closed or close early.
    Holidays,
    /// What is known of an economic series.
    Series,
    /// The days on which figures of a series were or will be published.
    Releases,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 8] = [
        Self::Tickers,
        Self::News,
        Self::Snapshot,
        Self::Options,
        Self::Status,
        Self::Holidays,
        Self::Series,
        Self::Releases,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tickers => "tickers",
            Self::News => "news",
            Self::Snapshot => "snapshot",
            Self::Options => "options",
            Self::Status => "status",
            Self::Holidays => "holidays",
            Self::Series => "series",
            Self::Releases => "releases",
        }
    }
}

/// What is fixed about a source.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// Id: an approved origin.
    pub id: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// Environment variable of its key; empty when it needs none.
    pub key_variable: &'static str,
    /// Environment variable of its address.
    pub url_variable: &'static str,
    /// The vendor's own address.
    pub url: &'static str,
    /// Requests a minute, when nothing else is configured.
    pub per_minute: u32,
    /// Times that its bars can cover.
    pub bars: &'static [Span],
    /// Whether it has economic series.
    pub series: bool,
    /// What else can be looked at.
    pub views: &'static [View],
    auth: Auth,
}

/// A vendor of data.
#[async_trait]
pub trait Source: Send + Sync {
    /// What is fixed about it.
    fn card(&self) -> &'static Card;

    /// Its client.
    fn client(&self) -> &Client;

    /// A page of bars; `next` is that of the page before.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn bars(
        &self,
        ask: &BarsAsk,
        next: Option<String>,
        call: &Call,
    ) -> Result<Page<Candles>, SourceError> {
        let _ = (next, call);
        Err(self.not_offered(&ask.subject(), "bars"))
    }

    /// All splits and dividends of a symbol that are known today.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn actions(&self, symbol: &str, call: &Call) -> Result<Page<Actions>, SourceError> {
        let _ = call;
        Err(self.not_offered(symbol, "splits and dividends"))
    }

    /// A page of an economic series.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn series(
        &self,
        ask: &SeriesAsk,
        next: Option<String>,
        call: &Call,
    ) -> Result<Page<Vec<Observation>>, SourceError> {
        let _ = (next, call);
        Err(self.not_offered(&ask.subject(), "economic series"))
    }

    /// Something to look at, as JSON of the documented fields.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn look(
        &self,
        view: View,
        symbol: &str,
        call: &Call,
    ) -> Result<Page<serde_json::Value>, SourceError> {
        let _ = call;
        Err(self.not_offered(symbol, view.as_str()))
    }

    /// A small question that shows whether the source answers.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn probe(&self, call: &Call) -> Result<(), SourceError>;

    /// The error for what this source does not have.
    fn not_offered(&self, subject: &str, what: &'static str) -> SourceError {
        let has = |c: &&&Card| match what {
            "bars" | "splits and dividends" => !c.bars.is_empty(),
            "economic series" => c.series,
            view => c.views.iter().any(|v| v.as_str() == view),
        };
        let names: Vec<&str> = CARDS.iter().filter(has).map(|c| c.id).collect();
        let others = if names.is_empty() {
            "another source".to_owned()
        } else {
            names.join(" or ")
        };
        SourceError {
            source_id: self.card().id,
            subject: subject.to_owned(),
            cause: Cause::NotOffered { what, others },
        }
    }
}

/// All sources, in the order of the policy.
pub static CARDS: [&Card; 5] = [
    &polygon::CARD,
    &fred::CARD,
    &alpha_vantage::CARD,
    &fmp::CARD,
    &yahoo::CARD,
];

/// What is configured of one source.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Address instead of the vendor's own.
    pub url: Option<String>,
    /// Key.
    pub key: Option<Key>,
    /// Requests a minute instead of the usual ones.
    pub per_minute: Option<u32>,
}

/// What is configured of all sources.
#[derive(Clone)]
pub struct Config {
    /// By source id; sources that are not named take their defaults.
    pub settings: Vec<(&'static str, Setting)>,
    /// Address of Polygon's stream instead of the vendor's own.
    pub polygon_stream: Option<String>,
    /// Bounds on requests.
    pub limits: Limits,
    /// Seed of the spread of pauses.
    pub seed: u64,
    /// The time of day.
    pub now: Now,
}

/// The sources of this process.
#[derive(Clone, Default)]
pub struct Sources {
    list: Vec<Arc<dyn Source>>,
    stream: Option<Arc<stream::Stream>>,
}

impl Sources {
    /// No source at all: everything that was stored still works.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// All five sources; nothing is sent yet.
    ///
    /// # Errors
    /// One sentence when an address cannot be used.
    pub fn new(config: Config) -> Result<Self, String> {
        let mut list: Vec<Arc<dyn Source>> = Vec::with_capacity(CARDS.len());
        let mut polygon_key = None;
        for (at, card) in (0_u64..).zip(CARDS) {
            let setting = config
                .settings
                .iter()
                .find(|(id, _)| *id == card.id)
                .map(|(_, s)| s.clone())
                .unwrap_or_default();
            if card.id == polygon::CARD.id {
                polygon_key = setting.key.clone();
            }
            let client = Client::new(Make {
                source: card.id,
                base: setting.url.unwrap_or_else(|| card.url.to_owned()),
                key: setting.key,
                key_variable: card.key_variable,
                auth: card.auth,
                per_minute: setting.per_minute.unwrap_or(card.per_minute),
                limits: config.limits,
                seed: config.seed.wrapping_add(at),
                now: config.now.clone(),
            })?;
            list.push(match card.id {
                "polygon" => Arc::new(polygon::Polygon(client)),
                "fred" => Arc::new(fred::Fred(client)),
                "alpha_vantage" => Arc::new(alpha_vantage::AlphaVantage(client)),
                "fmp" => Arc::new(fmp::Fmp(client)),
                _ => Arc::new(yahoo::Yahoo {
                    client,
                    now: config.now.clone(),
                }),
            });
        }
        let stream = stream::Stream::new(config.polygon_stream, polygon_key, config.limits)?;
        Ok(Self {
            list,
            stream: Some(Arc::new(stream)),
        })
    }

    /// The source of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<dyn Source>> {
        self.list.iter().find(|s| s.card().id == id).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Arc<dyn Source>] {
        &self.list
    }

    /// The stream of minute bars, where there are sources.
    #[must_use]
    pub fn stream(&self) -> Option<Arc<stream::Stream>> {
        self.stream.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;

    #[test]
    fn every_source_is_an_approved_origin() {
        for card in CARDS {
            let origin = mltrainer_compliance::policy::origin(card.id).unwrap();
            assert_eq!(origin.title, card.title);
            assert!(card.url.starts_with("https://"));
            assert_eq!(card.key_variable.is_empty(), card.auth == Auth::None);
        }
    }

    #[test]
    fn a_moment_belongs_to_the_day_in_new_york() {
        let mut candles = Candles::default();
        // Polygon stamps a daily bar with midnight in New York: 04:00 UTC in summer, 05:00 in
        // winter. The bar of 20:00 local time is already of the next day in UTC.
        for (y, m, d, h) in [(2004, 7, 1, 4), (2004, 12, 1, 5), (2004, 12, 2, 1)] {
            let at = Utc.with_ymd_and_hms(y, m, d, h, 0, 0).unwrap();
            candles.push(at, [1.0, 2.0, 0.5, 1.5, f64::NAN]);
        }
        let days: Vec<String> = candles.days().iter().map(ToString::to_string).collect();
        assert_eq!(days, ["2004-07-01", "2004-12-01", "2004-12-01"]);
        assert_eq!(candles.into_bars("X").volume, None);
    }

    #[test]
    fn splits_in_whole_shares() {
        let date = NaiveDate::from_ymd_opt(2020, 8, 31).unwrap();
        let s = |new, old| split(date, new, old).map(|s| (s.new_shares, s.for_old));
        assert_eq!(s(4.0, 1.0), Some((4, 1)));
        assert_eq!(s(1.0, 8.0), Some((1, 8)));
        assert_eq!(s(1.5, 1.0), Some((3, 2)));
        // Alphabet's class C shares of 2014: 2002 for 1000.
        assert_eq!(s(2.002, 1.0), Some((1001, 500)));
        assert_eq!(s(0.0, 1.0), None);
        assert_eq!(s(f64::NAN, 1.0), None);
    }
}
