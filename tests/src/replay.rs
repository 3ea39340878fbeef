//! A server that answers as the vendors of data do: their documented shapes with the real numbers
//! of the bundled data, and every misbehaviour on demand. It listens on this machine only.
//!
//! Prices as traded are the bundled ones, which ship with their splits. A request for minutes or
//! hours gets one bar a session, stamped with its opening, that holds the figures of the day: there
//! are no real minutes in the bundle, and none are made up. What the bundle does not hold (news,
//! options, status) are the examples of the vendors' documentation.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
use chrono_tz::America::New_York;
use futures::{SinkExt as _, StreamExt as _};
use mltrainer_data::bars::{Bars, Split};
use mltrainer_data::{bundled, calendar};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

/// The key that all vendors take here. It is planted in the environment and looked for everywhere.
pub const KEY: &str = "p1anted-k3y-0f-the-replay";

/// Splits of Apple after the bundled span, by which Yahoo adjusts: 7 for 1 on 2014-06-09 and 4 for
/// 1 on 2020-08-31.
const LATER: [(i32, u32, u32, u32); 2] = [(2014, 6, 9, 7), (2020, 8, 31, 4)];

/// Stands for the stream among troubles.
const STREAM: &str = "the stream";

/// How a vendor misbehaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// The answer waits so long.
    Slow(Duration),
    /// This status, with `Retry-After` when there are seconds.
    Status(u16, Option<u64>),
    /// The connection is cut in the middle of the answer.
    Cut,
    /// `Content-Length` promises more than comes.
    WrongLength,
    /// The answer is cut short, and its length is right.
    Truncated,
    /// An HTML page with status 200.
    Html,
    /// No text at all.
    Garbage,
    /// Nothing.
    Empty,
    /// This body with status 200.
    Says(String),
    /// So many bytes of blanks before the answer.
    Padded(usize),
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Path.
    pub path: String,
    /// Query, without the key.
    pub query: String,
    /// Whether the key came in the head of the request.
    pub key_in_head: bool,
    /// Whether the key came in the address.
    pub key_in_address: bool,
}

struct Planned {
    part: String,
    trouble: Trouble,
    left: u32,
}

#[derive(Default)]
struct Inner {
    seen: Vec<Seen>,
    planned: Vec<Planned>,
    page: usize,
}

type Shared = Arc<Mutex<Inner>>;
type Asked = Query<BTreeMap<String, String>>;

/// The server. It ends when it is dropped.
pub struct Replay {
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    /// `ws://127.0.0.1:PORT` of the stream.
    pub stream: String,
    shared: Shared,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Replay {
    /// Starts it on two free ports.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    /// Starts it at an address of this machine, with the stream on a free port.
    ///
    /// # Panics
    /// When the port is taken.
    pub async fn at(addr: &str) -> Self {
        let shared = Shared::default();
        lock(&shared).page = 50_000;
        let listener = TcpListener::bind(addr).await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let app = router(shared.clone());
        let web = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, app).await;
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let stream = format!("ws://{}", listener.local_addr().expect("an address"));
        let for_lines = shared.clone();
        let lines = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(line(socket, for_lines.clone()));
            }
        });
        Self {
            base,
            stream,
            shared,
            tasks: [web, lines],
        }
    }

    /// The environment of a program that is to use it.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let mut env: Vec<(String, String)> = Vec::new();
        for vendor in ["POLYGON", "FRED", "ALPHA_VANTAGE", "FMP", "YAHOO"] {
            env.push((format!("MLTRAINER_{vendor}_URL"), self.base.clone()));
            env.push((format!("{vendor}_API_KEY"), KEY.to_owned()));
        }
        env.push(("MLTRAINER_POLYGON_WS_URL".to_owned(), self.stream.clone()));
        env
    }

    /// The next `times` requests whose path holds `part` get this trouble.
    pub fn trouble(&self, part: &str, trouble: Trouble, times: u32) {
        lock(&self.shared).planned.push(Planned {
            part: part.to_owned(),
            trouble,
            left: times,
        });
    }

    /// The next `times` lines of the stream are cut after their first bars.
    pub fn hang_up(&self, times: u32) {
        self.trouble(STREAM, Trouble::Cut, times);
    }

    /// Forgets troubles that have not come about.
    pub fn calm(&self) {
        lock(&self.shared).planned.clear();
    }

    /// Polygon's pages hold at most so many bars.
    pub fn page(&self, rows: usize) {
        lock(&self.shared).page = rows.max(1);
    }

    /// All requests so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared).seen.clone()
    }

    /// How many requests came whose path holds `part`.
    #[must_use]
    pub fn count(&self, part: &str) -> usize {
        let inner = lock(&self.shared);
        inner.seen.iter().filter(|s| s.path.contains(part)).count()
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Inner> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route(
            "/v2/aggs/ticker/{t}/range/{n}/{span}/{from}/{to}",
            get(aggregates),
        )
        .route("/v3/reference/splits", get(splits))
        .route("/v3/reference/dividends", get(dividends))
        .route("/v3/reference/tickers", get(tickers))
        .route("/v2/reference/news", get(news))
        .route(
            "/v2/snapshot/locale/us/markets/stocks/tickers",
            get(snapshot),
        )
        .route("/v3/snapshot/options/{t}", get(options))
        .route("/v1/marketstatus/now", get(status))
        .route("/v1/marketstatus/upcoming", get(holidays))
        .route("/fred/series/observations", get(observations))
        .route("/fred/series", get(series))
        .route("/fred/series/release", get(release))
        .route("/fred/release/dates", get(release_dates))
        .route("/query", get(alpha_vantage))
        .route("/stable/historical-price-eod/{kind}", get(fmp_bars))
        .route("/stable/splits", get(fmp_splits))
        .route("/stable/dividends", get(fmp_dividends))
        .route("/v8/finance/chart/{symbol}", get(yahoo))
        .layer(middleware::from_fn_with_state(shared.clone(), watch))
        .with_state(shared)
}

/// Writes down every request, looks at the key, and plays the trouble that is planned.
async fn watch(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let key_in_head = {
        let headers = request.headers();
        ["authorization", "apikey"].into_iter().any(|name| {
            let value = headers.get(name).and_then(|v| v.to_str().ok());
            value.is_some_and(|v| v.trim_start_matches("Bearer ") == KEY)
        })
    };
    let key_in_address = query.contains(KEY);
    let trouble = {
        let mut inner = lock(&shared);
        inner.seen.push(Seen {
            path: path.clone(),
            query: query.replace(KEY, "KEY"),
            key_in_head,
            key_in_address,
        });
        let planned = inner
            .planned
            .iter_mut()
            .find(|p| p.left > 0 && path.contains(&p.part));
        planned.map(|p| {
            p.left -= 1;
            p.trouble.clone()
        })
    };
    let open = path.starts_with("/v8/");
    if !open && !key_in_head && !key_in_address {
        let body = json!({"status": "ERROR", "request_id": "r-0", "error": "Unknown API Key"});
        return (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response();
    }
    let Some(trouble) = trouble else {
        return next.run(request).await;
    };
    let html = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>";
    match trouble {
        Trouble::Slow(pause) => {
            tokio::time::sleep(pause).await;
            next.run(request).await
        }
        Trouble::Status(code, after) => {
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (code, html).into_response();
            if let Some(seconds) = after {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
        Trouble::Html => ([(header::CONTENT_TYPE, "text/html")], html).into_response(),
        Trouble::Garbage => Bytes::from_static(&[0x1f, 0x00, 0xff, 0xfe, 0x07]).into_response(),
        Trouble::Empty => StatusCode::OK.into_response(),
        Trouble::Says(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Trouble::Cut | Trouble::WrongLength | Trouble::Truncated | Trouble::Padded(_) => {
            let response = next.run(request).await;
            let (mut parts, body) = response.into_parts();
            let whole = axum::body::to_bytes(body, usize::MAX)
                .await
                .unwrap_or_default();
            let half = whole.slice(..whole.len() / 2);
            match trouble {
                Trouble::Padded(n) => {
                    parts.headers.remove(header::CONTENT_LENGTH);
                    let mut padded = vec![b' '; n];
                    padded.extend_from_slice(&whole);
                    Response::from_parts(parts, Body::from(padded))
                }
                Trouble::Truncated => {
                    parts.headers.remove(header::CONTENT_LENGTH);
                    Response::from_parts(parts, Body::from(half))
                }
                cut => {
                    if cut == Trouble::WrongLength {
                        let length = whole.len() + 1000;
                        parts.headers.insert(header::CONTENT_LENGTH, length.into());
                    } else {
                        parts.headers.remove(header::CONTENT_LENGTH);
                    }
                    let broken = futures::stream::iter([
                        Ok(half),
                        Err(std::io::Error::other("the other side hung up")),
                    ]);
                    Response::from_parts(parts, Body::from_stream(broken))
                }
            }
        }
    }
}

/// Bundled bars as traded, with the splits of their span.
fn as_traded(symbol: &str) -> Option<(Bars, Vec<Split>)> {
    let info = bundled::list().iter().find(|i| i.id == symbol)?;
    let mut bars = bundled::bars(symbol).ok()?.content;
    // Division by two and multiplication by two are exact.
    for split in info.splits {
        let before = bars.dates.partition_point(|d| *d < split.date);
        let ratio = split.ratio();
        for column in [&mut bars.open, &mut bars.high, &mut bars.low]
            .into_iter()
            .flatten()
        {
            column[..before].iter_mut().for_each(|p| *p *= ratio);
        }
        bars.close[..before].iter_mut().for_each(|p| *p *= ratio);
        if let Some(volume) = &mut bars.volume {
            volume[..before].iter_mut().for_each(|v| *v /= ratio);
        }
    }
    Some((bars, info.splits.to_vec()))
}

/// Bars as traded or adjusted for the splits of the span.
fn bars_of(symbol: &str, adjusted: bool) -> Option<Bars> {
    let (bars, splits) = as_traded(symbol)?;
    Some(if adjusted {
        bars.adjusted(&splits)
    } else {
        bars
    })
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    let local = date.and_time(chrono::NaiveTime::MIN);
    New_York
        .from_local_datetime(&local)
        .earliest()
        .expect("midnight exists in New York")
        .with_timezone(&Utc)
}

fn opening(date: NaiveDate) -> DateTime<Utc> {
    calendar::session(date).map_or_else(|| midnight(date), |s| s.open)
}

/// Open, high, low, close, volume of a row.
fn row(bars: &Bars, i: usize) -> [f64; 5] {
    let at = |c: &Option<Vec<f64>>| c.as_ref().map_or(bars.close[i], |c| c[i]);
    [
        at(&bars.open),
        at(&bars.high),
        at(&bars.low),
        bars.close[i],
        bars.volume.as_ref().map_or(0.0, |v| v[i]),
    ]
}

fn answer(value: Value) -> Response {
    axum::Json(value).into_response()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap_or_default()
}

fn between(asked: &BTreeMap<String, String>, from: &str, to: &str) -> (NaiveDate, NaiveDate) {
    let text = |name: &str, default: &str| day(asked.get(name).map_or(default, String::as_str));
    (text(from, "1800-01-01"), text(to, "2199-12-31"))
}

async fn aggregates(
    State(shared): State<Shared>,
    Path((ticker, _, span, from, to)): Path<(String, u32, String, String, String)>,
    Query(asked): Asked,
) -> Response {
    let adjusted = asked.get("adjusted").is_some_and(|a| a == "true");
    let cursor: usize = asked.get("cursor").map_or(0, |c| c.parse().unwrap_or(0));
    let page = lock(&shared).page;
    let symbol = ticker.strip_prefix("I:").unwrap_or(&ticker);
    let mut results = Vec::new();
    let mut more = false;
    if let Some(bars) = bars_of(symbol, adjusted) {
        let (from, to) = (day(&from), day(&to));
        let rows: Vec<usize> = (0..bars.len())
            .filter(|&i| (from..=to).contains(&bars.dates[i]))
            .collect();
        more = rows.len() > cursor + page;
        for &i in rows.iter().skip(cursor).take(page) {
            let [o, h, l, c, v] = row(&bars, i);
            let at = match span.as_str() {
                "day" => midnight(bars.dates[i]),
                _ => opening(bars.dates[i]),
            };
            results.push(
                json!({"v": v, "o": o, "c": c, "h": h, "l": l, "t": at.timestamp_millis(), "n": 1}),
            );
        }
    }
    let mut body = json!({
        "ticker": ticker, "queryCount": results.len(), "resultsCount": results.len(),
        "adjusted": adjusted, "status": "OK", "request_id": format!("polygon-{cursor}"),
        "count": results.len()
    });
    if !results.is_empty() {
        body["results"] = Value::Array(results);
    }
    if more {
        // As recorded: the vendor's own name, whatever name it was asked under.
        body["next_url"] = json!(format!(
            "https://api.polygon.io/v2/aggs/ticker/{ticker}/range/1/{span}/{from}/{to}?adjusted={adjusted}&cursor={}",
            cursor + page
        ));
    }
    answer(body)
}

async fn splits(Query(asked): Asked) -> Response {
    let ticker = asked.get("ticker").cloned().unwrap_or_default();
    let found = as_traded(&ticker).map(|(_, s)| s).unwrap_or_default();
    let results: Vec<Value> = found
        .iter()
        .map(|s| json!({"execution_date": s.date, "id": "E0", "split_from": s.for_old, "split_to": s.new_shares, "ticker": ticker}))
        .collect();
    answer(json!({"results": results, "status": "OK", "request_id": "polygon-splits"}))
}

/// Apple's dividends within the bundled span, as the company announced them.
fn apple(ticker: &str) -> Vec<(&'static str, &'static str, f64)> {
    match ticker {
        "AAPL" => vec![
            ("2012-08-09", "2012-07-24", 2.65),
            ("2012-11-07", "2012-10-25", 2.65),
            ("2013-02-07", "2013-01-23", 2.65),
        ],
        _ => Vec::new(),
    }
}

async fn dividends(Query(asked): Asked) -> Response {
    let ticker = asked.get("ticker").cloned().unwrap_or_default();
    let results: Vec<Value> = apple(&ticker)
        .into_iter()
        .map(|(ex, declared, cash)| json!({"cash_amount": cash, "currency": "USD", "declaration_date": declared, "dividend_type": "CD", "ex_dividend_date": ex, "frequency": 4, "ticker": ticker}))
        .collect();
    answer(json!({"results": results, "status": "OK", "request_id": "polygon-dividends"}))
}

async fn tickers(Query(asked): Asked) -> Response {
    let ticker = asked.get("ticker").cloned().unwrap_or_default();
    let known = bundled::list().iter().find(|i| i.id == ticker);
    let results: Vec<Value> = known
        .iter()
        .map(|i| json!({"ticker": ticker, "name": i.title, "market": "stocks", "locale": "us", "primary_exchange": "XNAS", "type": "CS", "active": true, "currency_name": "usd", "cik": "0000320193", "last_updated_utc": "2021-04-25T00:00:00Z"}))
        .collect();
    answer(
        json!({"results": results, "status": "OK", "request_id": "polygon-tickers", "count": results.len()}),
    )
}

async fn news(Query(asked): Asked) -> Response {
    let ticker = asked.get("ticker").cloned().unwrap_or_default();
    answer(
        json!({"count": 1, "request_id": "polygon-news", "status": "OK", "results": [{
            "id": "8ec638777ca03b553ae516761c2a22ba2fdd2f37befae3ab6fdab74e9e5193eb",
            "publisher": {"name": "Investing.com", "homepage_url": "https://www.investing.com/"},
            "title": "Markets are underestimating Fed cuts: UBS",
            "author": "Sam Boughedda", "published_utc": "2024-06-24T18:33:53Z",
            "article_url": "https://uk.investing.com/news/stock-market-news/3559968",
            "tickers": [ticker], "description": "UBS analysts warn that markets are underestimating the extent of future interest rate cuts."
        }]}),
    )
}

async fn snapshot(Query(asked): Asked) -> Response {
    let ticker = asked.get("tickers").cloned().unwrap_or_default();
    let Some(bars) = bars_of(&ticker, false) else {
        return answer(json!({"status": "OK", "count": 0, "tickers": []}));
    };
    let n = bars.len();
    let bar = |i: usize| {
        let [o, h, l, c, v] = row(&bars, i);
        json!({"o": o, "h": h, "l": l, "c": c, "v": v, "vw": null})
    };
    answer(
        json!({"status": "OK", "count": 1, "request_id": "polygon-snapshot", "tickers": [{
            "ticker": ticker, "day": bar(n - 1), "prevDay": bar(n - 2), "min": bar(n - 1),
            "todaysChange": bars.close[n - 1] - bars.close[n - 2],
            "todaysChangePerc": 100.0 * (bars.close[n - 1] / bars.close[n - 2] - 1.0),
            "updated": midnight(bars.dates[n - 1]).timestamp_nanos_opt()
        }]}),
    )
}

async fn options(Path(ticker): Path<String>, Query(asked): Asked) -> Response {
    let contract = |kind: &str, strike: f64| {
        let letter = &kind[..1].to_uppercase();
        json!({
            "break_even_price": 151.2, "day": {"close": 120.73, "open": 120.73, "volume": 1},
            "details": {"contract_type": kind, "exercise_style": "american", "expiration_date": "2022-01-21",
                "shares_per_contract": 100, "strike_price": strike, "ticker": format!("O:{ticker}211022{letter}000150000")},
            "greeks": {"delta": 0.5520187372272933, "gamma": 0.00706756515659829, "theta": -0.018532772783847958, "vega": 0.7274811132998142},
            "implied_volatility": 0.3048997097864957, "open_interest": 8133
        })
    };
    // Two pages.
    let second = asked.contains_key("cursor");
    let mut body = json!({"status": "OK", "request_id": "polygon-options",
        "results": [if second { contract("put", 150.0) } else { contract("call", 150.0) }]});
    if !second {
        body["next_url"] = json!(format!(
            "https://api.polygon.io/v3/snapshot/options/{ticker}?cursor=2"
        ));
    }
    answer(body)
}

async fn status() -> Response {
    answer(
        json!({"afterHours": true, "earlyHours": false, "market": "extended-hours",
        "currencies": {"crypto": "open", "fx": "open"},
        "exchanges": {"nasdaq": "extended-hours", "nyse": "extended-hours", "otc": "closed"},
        "serverTime": "2020-11-10T17:37:37-05:00"}),
    )
}

async fn holidays() -> Response {
    answer(json!([
        {"date": "2020-11-26", "exchange": "NYSE", "name": "Thanksgiving", "status": "closed"},
        {"close": "2020-11-27T18:00:00.000Z", "date": "2020-11-27", "exchange": "NASDAQ",
         "name": "Thanksgiving", "open": "2020-11-27T14:30:00.000Z", "status": "early-close"}
    ]))
}

/// Vintages of US gross domestic product, as in ALFRED (billions of dollars).
const GDP: [(&str, &str, &str, &str); 6] = [
    ("2013-10-01", "2014-01-30", "2014-02-27", "17102.5"),
    ("2013-10-01", "2014-02-28", "2014-03-26", "17080.7"),
    ("2013-10-01", "2014-03-27", "9999-12-31", "17089.6"),
    ("2014-01-01", "2014-04-30", "2014-05-28", "17149.6"),
    ("2014-01-01", "2014-05-29", "2014-06-24", "17101.3"),
    ("2014-01-01", "2014-06-25", "9999-12-31", "17016.0"),
];

async fn observations(Query(asked): Asked) -> Response {
    let id = asked.get("series_id").cloned().unwrap_or_default();
    let (first, last) = between(&asked, "observation_start", "observation_end");
    let today = "2026-11-20";
    let known = |name: &str| asked.get(name).map_or(today, String::as_str).to_owned();
    let (begin, end) = (known("realtime_start"), known("realtime_end"));
    let mut rows: Vec<Value> = Vec::new();
    let push = |rows: &mut Vec<Value>, date: &str, from: &str, until: &str, value: &str| {
        // A vintage's span is cut to the one that is asked for.
        if from <= end.as_str() && until >= begin.as_str() && (first..=last).contains(&day(date)) {
            let from = from.max(begin.as_str());
            let until = until.min(end.as_str());
            rows.push(json!({"realtime_start": from, "realtime_end": until, "date": date, "value": value}));
        }
    };
    match id.as_str() {
        "GDP" => {
            for (date, from, until, value) in GDP {
                push(&mut rows, date, from, until, value);
            }
        }
        other => {
            let Ok(series) = bundled::series(other) else {
                let body = json!({"error_code": 400, "error_message": "Bad Request.  The series does not exist."});
                return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
            };
            let s = series.content;
            for i in 0..s.len() {
                let (date, from) = (s.dates[i].to_string(), s.known_at[i].to_string());
                push(
                    &mut rows,
                    &date,
                    &from,
                    "9999-12-31",
                    &s.values[i].to_string(),
                );
            }
            // Martin Luther King Day: the market was closed, and FRED says so with a point.
            push(&mut rows, "2014-01-20", "2014-01-21", "9999-12-31", ".");
            rows.sort_by_key(|r| r["date"].as_str().unwrap_or_default().to_owned());
        }
    }
    let count = rows.len();
    let number = |name: &str, default: usize| {
        asked
            .get(name)
            .map_or(default, |t| t.parse().unwrap_or(default))
    };
    let (limit, offset) = (number("limit", 100_000), number("offset", 0));
    let page: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    answer(
        json!({"realtime_start": begin, "realtime_end": end, "observation_start": first,
        "observation_end": last, "units": "lin", "output_type": 1, "file_type": "json",
        "order_by": "observation_date", "sort_order": "asc", "count": count, "offset": offset,
        "limit": limit, "observations": page}),
    )
}

async fn series(Query(asked): Asked) -> Response {
    let id = asked.get("series_id").cloned().unwrap_or_default();
    answer(
        json!({"realtime_start": "2026-11-20", "realtime_end": "2026-11-20", "seriess": [{
            "id": id, "title": "Gross Domestic Product", "observation_start": "1947-01-01",
            "observation_end": "2014-01-01", "frequency": "Quarterly", "units": "Billions of Dollars",
            "seasonal_adjustment": "Seasonally Adjusted Annual Rate", "last_updated": "2014-06-25 07:46:03-05", "popularity": 92
        }]}),
    )
}

async fn release() -> Response {
    answer(
        json!({"realtime_start": "2014-06-25", "realtime_end": "2014-06-25", "releases": [
            {"id": 53, "name": "Gross Domestic Product", "press_release": true, "link": "http://www.bea.gov/national/index.htm"}
        ]}),
    )
}

async fn release_dates() -> Response {
    answer(json!({"count": 2, "release_dates": [
        {"release_id": 53, "date": "2014-07-30"}, {"release_id": 53, "date": "2014-06-25"}
    ]}))
}

async fn alpha_vantage(Query(asked): Asked) -> Response {
    let get = |name: &str| asked.get(name).map_or("", String::as_str);
    let symbol = get("symbol");
    let function = get("function");
    if function == "MARKET_STATUS" {
        return answer(json!({"endpoint": "Global Market Open & Close Status", "markets": []}));
    }
    let Some((bars, splits)) = as_traded(symbol) else {
        return answer(
            json!({"Error Message": "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) for TIME_SERIES_DAILY."}),
        );
    };
    match function {
        "SPLITS" => {
            let data: Vec<Value> = splits
                .iter()
                .map(|s| json!({"effective_date": s.date, "split_factor": format!("{:.4}", s.ratio())}))
                .collect();
            answer(json!({"symbol": symbol, "data": data}))
        }
        "DIVIDENDS" => {
            let data: Vec<Value> = apple(symbol)
                .into_iter()
                .map(|(ex, declared, cash)| json!({"ex_dividend_date": ex, "declaration_date": declared, "record_date": "None", "payment_date": "None", "amount": cash.to_string()}))
                .collect();
            answer(json!({"symbol": symbol, "data": data}))
        }
        _ => {
            let mut rows = serde_json::Map::new();
            for i in (0..bars.len()).rev() {
                let date = bars.dates[i];
                let stamp = if function == "TIME_SERIES_DAILY" {
                    date.to_string()
                } else if date.format("%Y-%m").to_string() == get("month") {
                    let open = opening(date).with_timezone(&New_York);
                    open.format("%Y-%m-%d %H:%M:%S").to_string()
                } else {
                    continue;
                };
                let [o, h, l, c, v] = row(&bars, i);
                rows.insert(stamp, json!({"1. open": format!("{o:.4}"), "2. high": format!("{h:.4}"), "3. low": format!("{l:.4}"), "4. close": format!("{c:.4}"), "5. volume": format!("{v:.0}")}));
            }
            let name = match function {
                "TIME_SERIES_DAILY" => "Time Series (Daily)".to_owned(),
                _ => format!("Time Series ({})", get("interval")),
            };
            answer(
                json!({"Meta Data": {"2. Symbol": symbol, "5. Time Zone": "US/Eastern"}, name: rows}),
            )
        }
    }
}

async fn fmp_bars(Path(kind): Path<String>, Query(asked): Asked) -> Response {
    let symbol = asked.get("symbol").cloned().unwrap_or_default();
    let adjusted = kind == "full";
    let (from, to) = between(&asked, "from", "to");
    let mut rows = Vec::new();
    if let Some(bars) = bars_of(&symbol, adjusted) {
        for i in (0..bars.len())
            .rev()
            .filter(|&i| (from..=to).contains(&bars.dates[i]))
        {
            let [o, h, l, c, v] = row(&bars, i);
            rows.push(if adjusted {
                json!({"symbol": symbol, "date": bars.dates[i], "open": o, "high": h, "low": l, "close": c, "volume": v})
            } else {
                json!({"symbol": symbol, "date": bars.dates[i], "adjOpen": o, "adjHigh": h, "adjLow": l, "adjClose": c, "volume": v})
            });
        }
    }
    answer(Value::Array(rows))
}

async fn fmp_splits(Query(asked): Asked) -> Response {
    let symbol = asked.get("symbol").cloned().unwrap_or_default();
    let found = as_traded(&symbol).map(|(_, s)| s).unwrap_or_default();
    let rows = found
        .iter()
        .map(|s| json!({"symbol": symbol, "date": s.date, "numerator": s.new_shares, "denominator": s.for_old}));
    answer(rows.collect())
}

async fn fmp_dividends(Query(asked): Asked) -> Response {
    let symbol = asked.get("symbol").cloned().unwrap_or_default();
    let rows = apple(&symbol)
        .into_iter()
        .map(|(ex, declared, cash)| json!({"symbol": symbol, "date": ex, "recordDate": "", "paymentDate": "", "declarationDate": declared, "adjDividend": cash / 28.0, "dividend": cash}));
    answer(rows.collect())
}

async fn yahoo(Path(symbol): Path<String>, Query(asked): Asked, _: HeaderMap) -> Response {
    let Some((bars, splits)) = as_traded(&symbol) else {
        let body = json!({"chart": {"result": null, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}});
        return (StatusCode::NOT_FOUND, axum::Json(body)).into_response();
    };
    let second = |name: &str| {
        let text = asked.get(name).map_or("0", String::as_str);
        DateTime::from_timestamp(text.parse().unwrap_or(0), 0).unwrap_or_default()
    };
    let (from, to) = (second("period1"), second("period2"));
    let mut all = splits;
    if symbol == "AAPL" {
        all.extend(LATER.map(|(y, m, d, new_shares)| Split {
            date: NaiveDate::from_ymd_opt(y, m, d).unwrap_or_default(),
            new_shares,
            for_old: 1,
        }));
    }
    let (mut at, mut columns) = (Vec::new(), [const { Vec::<f64>::new() }; 5]);
    for i in 0..bars.len() {
        let open = opening(bars.dates[i]);
        if open < from || open > to {
            continue;
        }
        let later = all.iter().filter(|s| s.date > bars.dates[i]);
        let ratio: f64 = later.map(Split::ratio).product();
        at.push(open.timestamp());
        let [o, h, l, c, v] = row(&bars, i);
        let adjusted = [o / ratio, h / ratio, l / ratio, c / ratio, v * ratio];
        for (column, x) in columns.iter_mut().zip(adjusted) {
            column.push(x);
        }
    }
    let events: serde_json::Map<String, Value> = all
        .iter()
        .filter(|s| opening(s.date) >= from && opening(s.date) <= to)
        .map(|s| {
            let t = opening(s.date).timestamp();
            (t.to_string(), json!({"date": t, "numerator": s.new_shares, "denominator": s.for_old, "splitRatio": format!("{}:{}", s.new_shares, s.for_old)}))
        })
        .collect();
    let paid: serde_json::Map<String, Value> = apple(&symbol)
        .into_iter()
        .filter(|(ex, _, _)| opening(day(ex)) >= from)
        .map(|(ex, _, cash)| {
            let t = opening(day(ex)).timestamp();
            (t.to_string(), json!({"amount": cash / 28.0, "date": t}))
        })
        .collect();
    let [open, high, low, close, volume] = columns;
    answer(json!({"chart": {"error": null, "result": [{
        "meta": {"currency": "USD", "symbol": symbol, "exchangeTimezoneName": "America/New_York", "gmtoffset": -18000},
        "timestamp": at,
        "events": {"splits": events, "dividends": paid},
        "indicators": {"quote": [{"open": open, "high": high, "low": low, "close": close, "volume": volume}]}
    }]}}))
}

/// One line of the stream: greeting, key, symbols, then the last bundled day of each as a bar.
async fn line(socket: tokio::net::TcpStream, shared: Shared) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(socket).await else {
        return;
    };
    let status = |status: &str, message: &str| {
        Message::text(json!([{"ev": "status", "status": status, "message": message}]).to_string())
    };
    if socket
        .send(status("connected", "Connected Successfully"))
        .await
        .is_err()
    {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        let Ok(said) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else {
            continue;
        };
        let params = said["params"].as_str().unwrap_or_default();
        let answers = match said["action"].as_str() {
            Some("auth") if params == KEY => vec![status("auth_success", "authenticated")],
            Some("auth") => vec![status("auth_failed", "authentication failed")],
            Some("subscribe") => {
                let mut all = vec![status("success", &format!("subscribed to: {params}"))];
                for symbol in params.split(',').filter_map(|p| p.strip_prefix("AM.")) {
                    if let Some(bars) = bars_of(symbol, false) {
                        let i = bars.len() - 1;
                        let [o, h, l, c, v] = row(&bars, i);
                        let s = opening(bars.dates[i]).timestamp_millis();
                        all.push(Message::text(json!([{"ev": "AM", "sym": symbol, "v": v, "av": v, "op": o, "vw": c, "o": o, "c": c, "h": h, "l": l, "a": c, "z": 685, "s": s, "e": s + 60_000}]).to_string()));
                    }
                }
                all
            }
            _ => Vec::new(),
        };
        let bars = answers.len() > 1;
        for answer in answers {
            if socket.send(answer).await.is_err() {
                return;
            }
        }
        let mut inner = lock(&shared);
        let planned = inner
            .planned
            .iter_mut()
            .find(|p| p.left > 0 && p.part == STREAM);
        if let Some(p) = planned.filter(|_| bars) {
            p.left -= 1;
            return;
        }
    }
}
