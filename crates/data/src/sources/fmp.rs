//! Financial Modeling Prep: <https://site.financialmodelingprep.com/developer/docs/stable>.
//!
//! Bars come newest first; prices as traded are named `adjOpen`, `adjHigh`, ... by the vendor
//! although nothing is adjusted in them. The older interface wraps them in `historical`. A refusal
//! stands under `Error Message`. The key goes into the head of a request (`apikey`).

use super::client::{Answer, Auth, Call, Client};
use super::lenient::Figure;
use super::{BarsAsk, Candles, Card, Cause, Page, Source, SourceError, Span, in_order, split};
use crate::actions::{Actions, Dividend};
use async_trait::async_trait;
use chrono::{NaiveDate, NaiveTime};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is fixed about it.
pub static CARD: Card = Card {
    id: "fmp",
    title: "Financial Modeling Prep",
    key_variable: "FMP_API_KEY",
    url_variable: "MLTRAINER_FMP_URL",
    url: "https://financialmodelingprep.com",
    per_minute: 300,
    bars: &[Span::Day],
    series: false,
    views: &[],
    auth: Auth::Header("apikey"),
};

/// Financial Modeling Prep.
pub struct Fmp(pub(super) Client);

#[derive(Deserialize)]
struct Row {
    date: NaiveDate,
    #[serde(default, alias = "adjOpen")]
    open: Figure,
    #[serde(default, alias = "adjHigh")]
    high: Figure,
    #[serde(default, alias = "adjLow")]
    low: Figure,
    #[serde(default, alias = "adjClose")]
    close: Figure,
    #[serde(default)]
    volume: Figure,
}

#[derive(Deserialize)]
struct SplitRow {
    date: NaiveDate,
    #[serde(default)]
    numerator: Figure,
    #[serde(default)]
    denominator: Figure,
}

#[derive(Deserialize)]
struct DividendRow {
    date: NaiveDate,
    #[serde(default, rename = "declarationDate")]
    declared: Option<String>,
    #[serde(default)]
    dividend: Figure,
}

impl Fmp {
    /// A list, plain or wrapped, that is no refusal.
    async fn list<T: DeserializeOwned>(
        &self,
        call: &Call,
        subject: &str,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer<Vec<T>>, SourceError> {
        let url = self.0.url(path, query);
        let answer = self.0.json::<Value>(call, subject, url).await?;
        if let Some(said) = answer.content["Error Message"].as_str() {
            let said = super::client::shorten(said);
            return Err(self.0.fail(subject, Cause::Refused { said }));
        }
        let rows = match answer.content {
            Value::Object(mut wrapped) => match wrapped.remove("historical") {
                Some(rows) => rows,
                // A symbol that it does not know: `{}`.
                None if wrapped.is_empty() => Value::Array(Vec::new()),
                None => Value::Object(wrapped),
            },
            plain => plain,
        };
        let content = serde_json::from_value(rows).map_err(|e| {
            let reason = format!("it is not of the documented shape ({e})");
            self.0.fail(subject, Cause::Unreadable { reason })
        })?;
        Ok(Answer {
            content,
            request: answer.request,
            request_id: answer.request_id,
        })
    }
}

#[async_trait]
impl Source for Fmp {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn client(&self) -> &Client {
        &self.0
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
        let kind = if ask.adjusted {
            "full"
        } else {
            "non-split-adjusted"
        };
        let query = [
            ("symbol", ask.symbol.clone()),
            ("from", ask.start.to_string()),
            ("to", ask.end.to_string()),
        ];
        let path = ["stable", "historical-price-eod", kind];
        let answer = self.list::<Row>(call, &subject, &path, &query).await?;
        let mut rows = answer.content;
        rows.sort_by_key(|r| r.date);
        let mut candles = Candles::default();
        for r in rows {
            // Noon in UTC is morning of the same day in New York.
            let at = r.date.and_time(NaiveTime::MIN).and_utc() + chrono::Duration::hours(12);
            let figures = [r.open, r.high, r.low, r.close, r.volume];
            candles.push(at, figures.map(Figure::or_nan));
        }
        Ok(Page {
            content: candles,
            request: answer.request,
            request_id: answer.request_id,
            next: None,
        })
    }

    async fn actions(&self, symbol: &str, call: &Call) -> Result<Page<Actions>, SourceError> {
        let query = [("symbol", symbol.to_owned())];
        let subject = format!("the splits of {symbol}");
        let splits = self
            .list::<SplitRow>(call, &subject, &["stable", "splits"], &query)
            .await?;
        let subject = format!("the dividends of {symbol}");
        let dividends = self
            .list::<DividendRow>(call, &subject, &["stable", "dividends"], &query)
            .await?;
        let mut actions = Actions::default();
        for row in splits.content {
            let found = split(row.date, row.numerator.or_nan(), row.denominator.or_nan());
            actions.splits.push(found.ok_or_else(|| {
                let reason = format!("the split of {} has no ratio", row.date);
                self.0.fail(&subject, Cause::Unreadable { reason })
            })?);
        }
        actions
            .dividends
            .extend(dividends.content.into_iter().filter_map(|row| {
                Some(Dividend {
                    date: row.date,
                    amount: row.dividend.0?,
                    // Empty where it is not known.
                    declared: row.declared.and_then(|d| d.parse().ok()),
                })
            }));
        Ok(Page {
            content: in_order(actions),
            request: format!("{}; {}", splits.request, dividends.request),
            request_id: splits.request_id,
            next: None,
        })
    }

    async fn probe(&self, call: &Call) -> Result<(), SourceError> {
        let query = [("symbol", "AAPL".to_owned())];
        let path = ["stable", "splits"];
        self.list::<SplitRow>(call, "a small question", &path, &query)
            .await
            .map(|_| ())
    }
}
