//! Yahoo Finance's chart interface, which needs no key and is documented nowhere: it may change or
//! refuse at any time.
//!
//! Prices and volumes come adjusted for all splits until today, so every request reaches until
//! today, and the adjustment is taken back by the splits in the same answer: prices as traded.
//! Classes of shares are written with a hyphen (`BRK-B` for `BRK.B`).

use super::client::{Answer, Auth, Call, Client};
use super::lenient::Figure;
use super::{BarsAsk, Candles, Card, Cause, Now, Page, Source, SourceError, Span, in_order, split};
use crate::actions::{Actions, Dividend};
use crate::bars::Split;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::America::New_York;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is fixed about it.
pub static CARD: Card = Card {
    id: "yahoo",
    title: "Yahoo Finance",
    key_variable: "",
    url_variable: "MLTRAINER_YAHOO_URL",
    url: "https://query1.finance.yahoo.com",
    per_minute: 60,
    bars: &[Span::Day],
    series: false,
    views: &[],
    auth: Auth::None,
};

/// Yahoo Finance.
pub struct Yahoo {
    pub(super) client: Client,
    pub(super) now: Now,
}

#[derive(Deserialize)]
struct Envelope {
    chart: Chart,
}

#[derive(Deserialize)]
struct Chart {
    #[serde(default)]
    result: Option<Vec<Found>>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default, deserialize_with = "super::lenient::list")]
    timestamp: Vec<i64>,
    #[serde(default)]
    events: Events,
    #[serde(default)]
    indicators: Indicators,
}

#[derive(Deserialize, Default)]
struct Events {
    #[serde(default)]
    dividends: BTreeMap<String, DividendRow>,
    #[serde(default)]
    splits: BTreeMap<String, SplitRow>,
}

#[derive(Deserialize)]
struct DividendRow {
    date: i64,
    #[serde(default)]
    amount: Figure,
}

#[derive(Deserialize)]
struct SplitRow {
    date: i64,
    #[serde(default)]
    numerator: Figure,
    #[serde(default)]
    denominator: Figure,
}

#[derive(Deserialize, Default)]
struct Indicators {
    #[serde(default, deserialize_with = "super::lenient::list")]
    quote: Vec<Quote>,
}

#[derive(Deserialize, Default)]
struct Quote {
    #[serde(default)]
    open: Vec<Figure>,
    #[serde(default)]
    high: Vec<Figure>,
    #[serde(default)]
    low: Vec<Figure>,
    #[serde(default)]
    close: Vec<Figure>,
    #[serde(default)]
    volume: Vec<Figure>,
}

/// New shares for one of `day`, by all splits after it.
fn later(splits: &[Split], day: NaiveDate) -> f64 {
    splits
        .iter()
        .filter(|s| s.date > day)
        .map(Split::ratio)
        .product()
}

fn day(seconds: i64) -> Option<NaiveDate> {
    let at = DateTime::from_timestamp(seconds, 0)?;
    Some(at.with_timezone(&New_York).date_naive())
}

impl Yahoo {
    fn unreadable(&self, subject: &str, reason: impl Into<String>) -> SourceError {
        let reason = reason.into();
        self.client.fail(subject, Cause::Unreadable { reason })
    }

    /// Everything from a day until now.
    async fn chart(
        &self,
        call: &Call,
        subject: &str,
        symbol: &str,
        start: NaiveDate,
    ) -> Result<Answer<Found>, SourceError> {
        let first = start.and_time(NaiveTime::MIN).and_utc().timestamp();
        let now = (self.now)().timestamp();
        let url = self.client.url(
            &["v8", "finance", "chart", &symbol.replace('.', "-")],
            &[
                ("period1", first.to_string()),
                ("period2", now.to_string()),
                ("interval", "1d".to_owned()),
                ("events", "div,splits".to_owned()),
            ],
        );
        let answer = self.client.json::<Envelope>(call, subject, url).await?;
        let chart = answer.content.chart;
        if let Some(fault) = chart.error {
            let said = format!("{} {}", fault.code, fault.description);
            let said = super::client::shorten(&said);
            return Err(self.client.fail(subject, Cause::Refused { said }));
        }
        let found = chart.result.unwrap_or_default().into_iter().next();
        let content = found.ok_or_else(|| self.client.fail(subject, Cause::Empty))?;
        Ok(Answer {
            content,
            request: answer.request,
            request_id: answer.request_id,
        })
    }

    fn splits(&self, subject: &str, events: &Events) -> Result<Vec<Split>, SourceError> {
        let mut splits = Vec::new();
        for row in events.splits.values() {
            let found = day(row.date)
                .and_then(|d| split(d, row.numerator.or_nan(), row.denominator.or_nan()));
            splits.push(found.ok_or_else(|| self.unreadable(subject, "a split has no ratio"))?);
        }
        splits.sort_by_key(|s| s.date);
        Ok(splits)
    }
}

#[async_trait]
impl Source for Yahoo {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn client(&self) -> &Client {
        &self.client
    }

    async fn bars(
        &self,
        ask: &BarsAsk,
        _next: Option<String>,
        call: &Call,
    ) -> Result<Page<Candles>, SourceError> {
        let subject = ask.subject();
        if ask.span != Span::Day {
            return Err(self.not_offered(&subject, "bars"));
        }
        let answer = self.chart(call, &subject, &ask.symbol, ask.start).await?;
        let found = answer.content;
        let splits = self.splits(&subject, &found.events)?;
        let quote = found
            .indicators
            .quote
            .into_iter()
            .next()
            .unwrap_or_default();
        let n = found.timestamp.len();
        let columns = [
            &quote.open,
            &quote.high,
            &quote.low,
            &quote.close,
            &quote.volume,
        ];
        if let Some(short) = columns.iter().find(|c| c.len() != n) {
            let reason = format!("it has {n} times and {} figures", short.len());
            return Err(self.unreadable(&subject, reason));
        }
        let mut candles = Candles::default();
        for (i, &seconds) in found.timestamp.iter().enumerate() {
            let (Some(at), Some(date)) =
                (DateTime::<Utc>::from_timestamp(seconds, 0), day(seconds))
            else {
                return Err(self.unreadable(&subject, format!("a bar is stamped {seconds}")));
            };
            if !(ask.start..=ask.end).contains(&date) {
                continue;
            }
            let ratio = if ask.adjusted {
                1.0
            } else {
                later(&splits, date)
            };
            let [open, high, low, close, volume] = columns.map(|c| c[i].or_nan());
            candles.push(
                at,
                [
                    open * ratio,
                    high * ratio,
                    low * ratio,
                    close * ratio,
                    volume / ratio,
                ],
            );
        }
        Ok(Page {
            content: candles,
            request: answer.request,
            request_id: answer.request_id,
            next: None,
        })
    }

    async fn actions(&self, symbol: &str, call: &Call) -> Result<Page<Actions>, SourceError> {
        let subject = format!("the splits and dividends of {symbol}");
        let answer = self
            .chart(call, &subject, symbol, NaiveDate::default())
            .await?;
        let splits = self.splits(&subject, &answer.content.events)?;
        let dividends = answer.content.events.dividends.into_values();
        let dividends = dividends.filter_map(|row| {
            let date = day(row.date)?;
            Some(Dividend {
                date,
                amount: row.amount.0? * later(&splits, date),
                declared: None,
            })
        });
        let actions = Actions {
            dividends: dividends.collect(),
            splits,
        };
        Ok(Page {
            content: in_order(actions),
            request: answer.request,
            request_id: answer.request_id,
            next: None,
        })
    }

    async fn probe(&self, call: &Call) -> Result<(), SourceError> {
        let today = (self.now)().date_naive();
        let week = today
            .checked_sub_days(chrono::Days::new(10))
            .unwrap_or(today);
        self.chart(call, "a small question", "AAPL", week)
            .await
            .map(|_| ())
    }
}
