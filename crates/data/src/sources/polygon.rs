//! Polygon.io, which also answers as Massive: <https://polygon.io/docs/rest/stocks>.
//!
//! The key goes into the head of a request (`Authorization: Bearer`). Lists come in pages; the
//! address of the next one stands in `next_url`. Daily bars are stamped with midnight in New York,
//! others with their beginning, in milliseconds.

use super::client::{Answer, Auth, Call, Client};
use super::lenient::{Figure, list};
use super::{
    BarsAsk, Candles, Card, Cause, Page, Source, SourceError, Span, View, in_order, split,
};
use crate::actions::{Actions, Dividend};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is fixed about it.
pub static CARD: Card = Card {
    id: "polygon",
    title: "Polygon.io (Massive)",
    key_variable: "POLYGON_API_KEY",
    url_variable: "MLTRAINER_POLYGON_URL",
    url: "https://api.polygon.io",
    // Fifty a second, the most that any plan allows; smaller plans answer 429 and are waited for.
    per_minute: 3000,
    bars: &[Span::Minute, Span::Hour, Span::Day],
    series: false,
    views: &[
        View::Tickers,
        View::News,
        View::Snapshot,
        View::Options,
        View::Status,
        View::Holidays,
    ],
    auth: Auth::Bearer,
};

/// Bars on a page: the most that the vendor gives.
const LIMIT: &str = "50000";

/// Pages of a list of corporate actions or options that are read at most.
const PAGES: usize = 100;

/// Polygon.io.
pub struct Polygon(pub(super) Client);

/// What stands around every list.
#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    status: String,
    #[serde(default, alias = "message")]
    error: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(
        default = "Vec::new",
        deserialize_with = "list",
        bound(deserialize = "T: Deserialize<'de>")
    )]
    results: Vec<T>,
    #[serde(default)]
    next_url: Option<String>,
}

#[derive(Deserialize)]
struct Aggregate {
    /// Milliseconds since 1970.
    t: i64,
    #[serde(default)]
    o: Figure,
    #[serde(default)]
    h: Figure,
    #[serde(default)]
    l: Figure,
    #[serde(default)]
    c: Figure,
    #[serde(default)]
    v: Figure,
}

#[derive(Deserialize)]
struct SplitRow {
    execution_date: NaiveDate,
    #[serde(default)]
    split_from: Figure,
    #[serde(default)]
    split_to: Figure,
}

#[derive(Deserialize)]
struct DividendRow {
    ex_dividend_date: NaiveDate,
    #[serde(default)]
    declaration_date: Option<NaiveDate>,
    #[serde(default)]
    cash_amount: Figure,
}

/// A symbol: `GET /v3/reference/tickers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticker {
    /// Symbol.
    pub ticker: String,
    /// Name.
    #[serde(default)]
    pub name: Option<String>,
    /// `stocks`, `indices`, `otc`, ...
    #[serde(default)]
    pub market: Option<String>,
    /// Exchange, by its market identifier code.
    #[serde(default)]
    pub primary_exchange: Option<String>,
    /// `CS` for common stock, `ETF`, ...
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Whether it is traded.
    #[serde(default)]
    pub active: Option<bool>,
    /// Currency.
    #[serde(default)]
    pub currency_name: Option<String>,
    /// Number at the SEC.
    #[serde(default)]
    pub cik: Option<String>,
    /// When it ceased to be traded.
    #[serde(default)]
    pub delisted_utc: Option<String>,
}

/// An article: `GET /v2/reference/news`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Article {
    /// Id.
    pub id: String,
    /// Title.
    #[serde(default)]
    pub title: String,
    /// When it was published.
    pub published_utc: DateTime<chrono::Utc>,
    /// Where it stands.
    #[serde(default)]
    pub article_url: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub author: Option<String>,
    /// First lines.
    #[serde(default)]
    pub description: Option<String>,
    /// Symbols it is about.
    #[serde(default, deserialize_with = "list")]
    pub tickers: Vec<String>,
}

/// Figures of a day or a minute in a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SnapshotBar {
    /// Open.
    #[serde(default)]
    pub o: Option<f64>,
    /// High.
    #[serde(default)]
    pub h: Option<f64>,
    /// Low.
    #[serde(default)]
    pub l: Option<f64>,
    /// Close.
    #[serde(default)]
    pub c: Option<f64>,
    /// Volume.
    #[serde(default)]
    pub v: Option<f64>,
    /// Price weighted by volume.
    #[serde(default)]
    pub vw: Option<f64>,
}

/// Prices now: `GET /v2/snapshot/locale/us/markets/stocks/tickers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Symbol.
    pub ticker: String,
    /// Change since yesterday's close.
    #[serde(default)]
    pub todays_change: Option<f64>,
    /// The same in per cent.
    #[serde(default)]
    pub todays_change_perc: Option<f64>,
    /// Today so far.
    #[serde(default)]
    pub day: Option<SnapshotBar>,
    /// The last minute.
    #[serde(default)]
    pub min: Option<SnapshotBar>,
    /// The day before.
    #[serde(default)]
    pub prev_day: Option<SnapshotBar>,
    /// Nanoseconds since 1970.
    #[serde(default)]
    pub updated: Option<i64>,
}

#[derive(Deserialize)]
struct Snapshots {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default, deserialize_with = "list")]
    tickers: Vec<Snapshot>,
}

/// The terms of an option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionTerms {
    /// Symbol of the contract.
    pub ticker: String,
    /// `call` or `put`.
    pub contract_type: String,
    /// `american` or `european`.
    #[serde(default)]
    pub exercise_style: Option<String>,
    /// Last day.
    pub expiration_date: NaiveDate,
    /// Strike.
    pub strike_price: f64,
    /// Shares a contract stands for.
    #[serde(default)]
    pub shares_per_contract: Option<f64>,
}

/// An option with its prices: `GET /v3/snapshot/options/{underlying}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionSnapshot {
    /// Its terms.
    pub details: OptionTerms,
    /// Implied volatility a year.
    #[serde(default)]
    pub implied_volatility: Option<f64>,
    /// Open contracts.
    #[serde(default)]
    pub open_interest: Option<f64>,
    /// Price of the underlying at which its holder neither gains nor loses.
    #[serde(default)]
    pub break_even_price: Option<f64>,
    /// `delta`, `gamma`, `theta`, `vega`; the vendor leaves them out for some contracts.
    #[serde(default)]
    pub greeks: Value,
    /// Today so far.
    #[serde(default)]
    pub day: Value,
}

/// Whether markets are open: `GET /v1/marketstatus/now`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarketStatus {
    /// `open`, `closed` or `extended-hours`.
    pub market: String,
    /// The vendor's time.
    #[serde(default)]
    pub server_time: Option<String>,
    /// Whether trading after hours goes on.
    #[serde(default)]
    pub after_hours: Option<bool>,
    /// Whether trading before hours goes on.
    #[serde(default)]
    pub early_hours: Option<bool>,
    /// By exchange.
    #[serde(default)]
    pub exchanges: Value,
}

/// A day off, whole or half: `GET /v1/marketstatus/upcoming`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holiday {
    /// Day.
    pub date: NaiveDate,
    /// Exchange.
    #[serde(default)]
    pub exchange: Option<String>,
    /// Name.
    #[serde(default)]
    pub name: Option<String>,
    /// `closed` or `early-close`.
    #[serde(default)]
    pub status: Option<String>,
    /// When a half day begins.
    #[serde(default)]
    pub open: Option<String>,
    /// When a half day ends.
    #[serde(default)]
    pub close: Option<String>,
}

/// The vendor's name of a symbol: an index has `I:` in front.
fn ticker(symbol: &str) -> String {
    match symbol.strip_prefix('^') {
        Some(index) => format!("I:{index}"),
        None => symbol.to_owned(),
    }
}

impl Polygon {
    /// A page of a list.
    async fn list<T: DeserializeOwned>(
        &self,
        call: &Call,
        subject: &str,
        url: reqwest::Url,
    ) -> Result<Page<Vec<T>>, SourceError> {
        let Answer {
            content,
            request,
            request_id,
        } = self.0.json::<Envelope<T>>(call, subject, url).await?;
        // A refusal that came with status 200.
        if content.status == "ERROR" || content.status == "NOT_AUTHORIZED" {
            let said = content.error.unwrap_or(content.status);
            return Err(self.0.fail(subject, Cause::Refused { said }));
        }
        Ok(Page {
            content: content.results,
            request,
            request_id: content.request_id.or(request_id),
            next: content.next_url.filter(|n| !n.is_empty()),
        })
    }

    /// A list with all its pages.
    async fn whole<T: DeserializeOwned>(
        &self,
        call: &Call,
        subject: &str,
        path: &[&str],
        query: &[(&str, String)],
        most: usize,
    ) -> Result<Page<Vec<T>>, SourceError> {
        let below = format!("/{}", path[..path.len().min(2)].join("/"));
        let mut page = self
            .list::<T>(call, subject, self.0.url(path, query))
            .await?;
        let mut next = page.next.take();
        for _ in 1..PAGES {
            let Some(there) = next.filter(|_| page.content.len() < most) else {
                break;
            };
            let url = self.0.next(subject, &there, &below)?;
            let more = self.list(call, subject, url).await?;
            page.content.extend(more.content);
            next = more.next;
        }
        page.content.truncate(most);
        Ok(page)
    }
}

#[async_trait]
impl Source for Polygon {
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
        let url = match next {
            Some(next) => self.0.next(&subject, &next, "/v2/aggs/")?,
            None => self.0.url(
                &[
                    "v2",
                    "aggs",
                    "ticker",
                    &ticker(&ask.symbol),
                    "range",
                    "1",
                    ask.span.as_str(),
                    &ask.start.to_string(),
                    &ask.end.to_string(),
                ],
                &[
                    ("adjusted", ask.adjusted.to_string()),
                    ("sort", "asc".to_owned()),
                    ("limit", LIMIT.to_owned()),
                ],
            ),
        };
        let page = self.list::<Aggregate>(call, &subject, url).await?;
        let mut candles = Candles::default();
        for a in page.content {
            let mut at = DateTime::from_timestamp_millis(a.t).ok_or_else(|| {
                let reason = format!("a bar is stamped {}, which is no time", a.t);
                self.0.fail(&subject, Cause::Unreadable { reason })
            })?;
            // Some of the vendor's markets count days in UTC: midnight there is the evening before in
            // New York, and no daily bar begins then.
            if ask.span == Span::Day && at.time() == NaiveTime::MIN {
                at += TimeDelta::hours(12);
            }
            candles.push(at, [a.o, a.h, a.l, a.c, a.v].map(Figure::or_nan));
        }
        Ok(Page {
            content: candles,
            request: page.request,
            request_id: page.request_id,
            next: page.next,
        })
    }

    async fn actions(&self, symbol: &str, call: &Call) -> Result<Page<Actions>, SourceError> {
        let query = || [("ticker", ticker(symbol)), ("limit", "1000".to_owned())];
        let subject = format!("the splits of {symbol}");
        let path = ["v3", "reference", "splits"];
        let splits = self
            .whole::<SplitRow>(call, &subject, &path, &query(), usize::MAX)
            .await?;
        let subject = format!("the dividends of {symbol}");
        let path = ["v3", "reference", "dividends"];
        let dividends = self
            .whole::<DividendRow>(call, &subject, &path, &query(), usize::MAX)
            .await?;
        let mut actions = Actions::default();
        for row in splits.content {
            let found = split(
                row.execution_date,
                row.split_to.or_nan(),
                row.split_from.or_nan(),
            );
            actions.splits.push(found.ok_or_else(|| {
                let reason = format!("the split of {} has no ratio", row.execution_date);
                self.0.fail(&subject, Cause::Unreadable { reason })
            })?);
        }
        actions
            .dividends
            .extend(dividends.content.into_iter().filter_map(|row| {
                Some(Dividend {
                    date: row.ex_dividend_date,
                    amount: row.cash_amount.0?,
                    declared: row.declaration_date,
                })
            }));
        Ok(Page {
            content: in_order(actions),
            request: format!("{}; {}", splits.request, dividends.request),
            request_id: splits.request_id,
            next: None,
        })
    }

    async fn look(
        &self,
        view: View,
        symbol: &str,
        call: &Call,
    ) -> Result<Page<Value>, SourceError> {
        fn value<T: Serialize>(page: Page<T>) -> Page<Value> {
            Page {
                // These types have text keys only: they always serialise.
                content: serde_json::to_value(page.content).unwrap_or_default(),
                request: page.request,
                request_id: page.request_id,
                next: None,
            }
        }
        fn of<T>(answer: Answer<T>) -> Page<T> {
            Page {
                content: answer.content,
                request: answer.request,
                request_id: answer.request_id,
                next: None,
            }
        }
        let name = ticker(symbol);
        let subject = format!("the {} of {symbol}", view.as_str());
        let query = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs.iter().map(|(n, v)| (*n, (*v).to_owned())).collect()
        };
        let page = match view {
            View::Tickers => {
                let q = query(&[("ticker", &name), ("limit", "100")]);
                let path = ["v3", "reference", "tickers"];
                value(
                    self.whole::<Ticker>(call, &subject, &path, &q, 1000)
                        .await?,
                )
            }
            View::News => {
                let q = query(&[("ticker", &name), ("limit", "100"), ("order", "desc")]);
                let path = ["v2", "reference", "news"];
                value(
                    self.whole::<Article>(call, &subject, &path, &q, 100)
                        .await?,
                )
            }
            View::Options => {
                let q = query(&[("limit", "250")]);
                let path = ["v3", "snapshot", "options", &name];
                value(
                    self.whole::<OptionSnapshot>(call, &subject, &path, &q, 10_000)
                        .await?,
                )
            }
            View::Snapshot => {
                let path = [
                    "v2", "snapshot", "locale", "us", "markets", "stocks", "tickers",
                ];
                let url = self.0.url(&path, &query(&[("tickers", &name)]));
                let answer = self.0.json::<Snapshots>(call, &subject, url).await?;
                let mut page = of(answer);
                page.request_id = page.content.request_id.take().or(page.request_id);
                value(Page {
                    content: page.content.tickers,
                    request: page.request,
                    request_id: page.request_id,
                    next: None,
                })
            }
            View::Status => {
                let subject = "the status of the market";
                let url = self.0.url(&["v1", "marketstatus", "now"], &[]);
                value(of(self.0.json::<MarketStatus>(call, subject, url).await?))
            }
            View::Holidays => {
                let subject = "the holidays of the market";
                let url = self.0.url(&["v1", "marketstatus", "upcoming"], &[]);
                value(of(self.0.json::<Vec<Holiday>>(call, subject, url).await?))
            }
            View::Series | View::Releases => {
                return Err(self.not_offered(symbol, view.as_str()));
            }
        };
        if page.content.as_array().is_some_and(Vec::is_empty) && view != View::Holidays {
            return Err(self.0.fail(&subject, Cause::Empty));
        }
        Ok(page)
    }

    async fn probe(&self, call: &Call) -> Result<(), SourceError> {
        self.look(View::Status, "", call).await.map(|_| ())
    }
}
