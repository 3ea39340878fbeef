//! Alpha Vantage: <https://www.alphavantage.co/documentation/>.
//!
//! Figures come in quotes, newest first, under headings with numbers (`1. open`). A refusal comes
//! with status 200 and its words under `Note`, `Information` or `Error Message`. Times are those of
//! New York; bars of minutes and hours come by month. The key goes into the address (`apikey`): the
//! vendor knows no other way.

use super::client::{Answer, Auth, Call, Client};
use super::lenient::Figure;
use super::{BarsAsk, Candles, Card, Cause, Page, Source, SourceError, Span, in_order, split};
use crate::actions::{Actions, Dividend};
use async_trait::async_trait;
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::America::New_York;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is fixed about it.
pub static CARD: Card = Card {
    id: "alpha_vantage",
    title: "Alpha Vantage",
    key_variable: "ALPHA_VANTAGE_API_KEY",
    url_variable: "MLTRAINER_ALPHA_VANTAGE_URL",
    url: "https://www.alphavantage.co",
    per_minute: 60,
    bars: &[Span::Minute, Span::Hour, Span::Day],
    series: false,
    views: &[],
    auth: Auth::Query("apikey"),
};

/// Alpha Vantage.
pub struct AlphaVantage(pub(super) Client);

#[derive(Deserialize)]
struct SplitRow {
    effective_date: NaiveDate,
    #[serde(default)]
    split_factor: Figure,
}

#[derive(Deserialize)]
struct DividendRow {
    ex_dividend_date: NaiveDate,
    #[serde(default)]
    declaration_date: Option<String>,
    #[serde(default)]
    amount: Figure,
}

impl AlphaVantage {
    /// An answer that is no refusal.
    async fn ask(
        &self,
        call: &Call,
        subject: &str,
        query: &[(&str, String)],
    ) -> Result<Answer<Map<String, Value>>, SourceError> {
        let url = self.0.url(&["query"], query);
        let answer = self
            .0
            .json::<Map<String, Value>>(call, subject, url)
            .await?;
        for name in ["Error Message", "Note", "Information"] {
            if let Some(said) = answer.content.get(name).and_then(Value::as_str) {
                let said = super::client::shorten(said);
                return Err(self.0.fail(subject, Cause::Refused { said }));
            }
        }
        Ok(answer)
    }

    fn unreadable(&self, subject: &str, reason: impl Into<String>) -> SourceError {
        let reason = reason.into();
        self.0.fail(subject, Cause::Unreadable { reason })
    }

    /// The list `data` of splits or dividends.
    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        call: &Call,
        subject: &str,
        function: &str,
        symbol: &str,
    ) -> Result<Answer<Vec<T>>, SourceError> {
        let query = [
            ("function", function.to_owned()),
            ("symbol", symbol.to_owned()),
        ];
        let mut answer = self.ask(call, subject, &query).await?;
        let data = answer.content.remove("data").unwrap_or(Value::Null);
        let content = serde_json::from_value::<Vec<T>>(data).map_err(|e| {
            self.unreadable(subject, format!("it is not of the documented shape ({e})"))
        })?;
        Ok(Answer {
            content,
            request: answer.request,
            request_id: answer.request_id,
        })
    }
}

/// `2009-01-30` or `2009-01-30 19:59:00` in New York.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let local = match text.parse::<NaiveDate>() {
        Ok(date) => date.and_time(NaiveTime::from_hms_opt(12, 0, 0)?),
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?,
    };
    Some(
        New_York
            .from_local_datetime(&local)
            .earliest()?
            .with_timezone(&Utc),
    )
}

#[async_trait]
impl Source for AlphaVantage {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn client(&self) -> &Client {
        &self.0
    }

    async fn bars(
        &self,
        ask: &BarsAsk,
        next: Option<String>,
        call: &Call,
    ) -> Result<Page<Candles>, SourceError> {
        let subject = ask.subject();
        let mut query = vec![
            ("symbol", ask.symbol.clone()),
            ("outputsize", "full".to_owned()),
        ];
        // The month that is asked for, and the first day of the one after it.
        let mut after = None;
        if ask.span == Span::Day {
            if ask.adjusted {
                let reason = "it gives daily bars as traded only".to_owned();
                return Err(self.0.fail(&subject, Cause::BadRequest(reason)));
            }
            query.push(("function", "TIME_SERIES_DAILY".to_owned()));
        } else {
            let first = match next {
                Some(day) => day.parse().unwrap_or(ask.start),
                None => ask.start.with_day(1).unwrap_or(ask.start),
            };
            after = first
                .checked_add_months(Months::new(1))
                .filter(|d| *d <= ask.end);
            let interval = if ask.span == Span::Hour {
                "60min"
            } else {
                "1min"
            };
            query.push(("function", "TIME_SERIES_INTRADAY".to_owned()));
            query.push(("interval", interval.to_owned()));
            query.push(("month", first.format("%Y-%m").to_string()));
            query.push(("adjusted", ask.adjusted.to_string()));
            query.push(("extended_hours", "false".to_owned()));
        }
        let answer = self.ask(call, &subject, &query).await?;
        let series = answer
            .content
            .into_iter()
            .find(|(name, _)| name.starts_with("Time Series"))
            .map(|(_, rows)| rows)
            .ok_or_else(|| self.unreadable(&subject, "it holds no \"Time Series\""))?;
        let rows: BTreeMap<String, BTreeMap<String, Figure>> = serde_json::from_value(series)
            .map_err(|e| {
                self.unreadable(&subject, format!("it is not of the documented shape ({e})"))
            })?;
        let mut candles = Candles::default();
        for (text, row) in rows {
            let at = moment(&text)
                .ok_or_else(|| self.unreadable(&subject, format!("a bar is stamped \"{text}\"")))?;
            let figure = |name: &str| {
                row.iter()
                    .find(|(heading, _)| heading.ends_with(name))
                    .map_or(f64::NAN, |(_, f)| f.or_nan())
            };
            let day = at.with_timezone(&New_York).date_naive();
            if (ask.start..=ask.end).contains(&day) {
                candles.push(at, ["open", "high", "low", "close", "volume"].map(figure));
            }
        }
        Ok(Page {
            content: candles,
            request: answer.request,
            request_id: answer.request_id,
            next: after.map(|d| d.to_string()),
        })
    }

    async fn actions(&self, symbol: &str, call: &Call) -> Result<Page<Actions>, SourceError> {
        let subject = format!("the splits of {symbol}");
        let splits = self
            .list::<SplitRow>(call, &subject, "SPLITS", symbol)
            .await?;
        let subject = format!("the dividends of {symbol}");
        let dividends = self
            .list::<DividendRow>(call, &subject, "DIVIDENDS", symbol)
            .await?;
        let mut actions = Actions::default();
        for row in splits.content {
            let found = split(row.effective_date, row.split_factor.or_nan(), 1.0);
            actions.splits.push(found.ok_or_else(|| {
                let day = row.effective_date;
                self.unreadable(&subject, format!("the split of {day} has no ratio"))
            })?);
        }
        actions
            .dividends
            .extend(dividends.content.into_iter().filter_map(|row| {
                Some(Dividend {
                    date: row.ex_dividend_date,
                    amount: row.amount.0?,
                    // "None" stands where it is not known.
                    declared: row.declaration_date.and_then(|d| d.parse().ok()),
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
        let query = [("function", "MARKET_STATUS".to_owned())];
        self.ask(call, "the status of the market", &query)
            .await
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_new_york() {
        let at = |text: &str| moment(text).map(|t| t.to_rfc3339());
        assert_eq!(
            at("2009-01-30 16:00:00").unwrap(),
            "2009-01-30T21:00:00+00:00"
        );
        assert_eq!(
            at("2009-07-30 16:00:00").unwrap(),
            "2009-07-30T20:00:00+00:00"
        );
        assert_eq!(at("2009-01-30").unwrap(), "2009-01-30T17:00:00+00:00");
        assert_eq!(at("soon"), None);
    }
}
