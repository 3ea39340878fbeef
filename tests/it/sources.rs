//! Vendors of data against the replay server: what is asked, what is read, what is kept, and that
//! every misbehaviour ends in one sentence with nothing half there.

use chrono::{DateTime, NaiveDate, Utc};
use mltrainer_data::bars::Bars;
use mltrainer_data::bundled;
use mltrainer_data::library::Library;
use mltrainer_data::shelf::Shelf;
use mltrainer_data::sources::breaker::Circuit;
use mltrainer_data::sources::collect::{self, CollectError};
use mltrainer_data::sources::{
    BarsAsk, Call, Candles, Cause, Config, Key, Limits, SeriesAsk, Setting, Source, SourceError,
    Sources, Span, View, fred,
};
use mltrainer_it::replay::{KEY, Replay, Trouble};
use mltrainer_it::{Answer, Launch, cli_in, sqlite};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Sources on the replay server, impatient.
fn sources(replay: &Replay, limits: Limits) -> Sources {
    let ids = ["polygon", "fred", "alpha_vantage", "fmp", "yahoo"];
    Sources::new(Config {
        settings: ids
            .map(|id| {
                let setting = Setting {
                    url: Some(replay.base.clone()),
                    key: Key::new(KEY),
                    per_minute: Some(600_000),
                };
                (id, setting)
            })
            .to_vec(),
        polygon_stream: Some(replay.stream.clone()),
        limits,
        seed: 7,
        now: Arc::new(now),
    })
    .unwrap()
}

fn limits() -> Limits {
    Limits {
        read: Duration::from_millis(400),
        tries: 3,
        pause: Duration::from_millis(10),
        longest_pause: Duration::from_secs(2),
        ..Limits::default()
    }
}

fn ask(symbol: &str, start: &str, end: &str) -> BarsAsk {
    BarsAsk {
        symbol: symbol.to_owned(),
        start: day(start),
        end: day(end),
        span: Span::Day,
        adjusted: false,
    }
}

/// All pages of a question.
async fn all(source: &dyn Source, ask: &BarsAsk) -> Result<Candles, SourceError> {
    let (mut whole, mut next) = (Candles::default(), None);
    loop {
        let page = source.bars(ask, next, &Call::quiet()).await?;
        let c = page.content;
        for i in 0..c.len() {
            whole.push(
                c.at[i],
                [c.open[i], c.high[i], c.low[i], c.close[i], c.volume[i]],
            );
        }
        next = page.next;
        if next.is_none() {
            return Ok(whole);
        }
    }
}

/// Apple as traded: the bundled bars before the splits that ship with them are applied.
fn apple_as_traded() -> Bars {
    let info = bundled::list().iter().find(|i| i.id == "AAPL").unwrap();
    let mut bars = bundled::bars("AAPL").unwrap().content;
    for split in info.splits {
        let before = bars.dates.partition_point(|d| *d < split.date);
        bars.close[..before]
            .iter_mut()
            .for_each(|p| *p *= split.ratio());
    }
    bars
}

#[tokio::test]
async fn every_vendor_gives_the_same_real_bars() {
    let replay = Replay::start().await;
    let sources = sources(&replay, limits());
    let truth = apple_as_traded().slice(Some(day("2004-06-01")), Some(day("2006-05-31")));
    // Pages of 100: 504 days in six.
    replay.page(100);
    for (id, tolerance) in [
        ("polygon", 0.0),
        ("fmp", 0.0),
        ("yahoo", 1e-12),
        // Four digits behind the point, as the vendor writes.
        ("alpha_vantage", 1e-5),
    ] {
        let source = sources.get(id).unwrap();
        let ask = ask("AAPL", "2004-06-01", "2006-05-31");
        let bars = all(&*source, &ask).await.unwrap().into_bars("AAPL");
        assert_eq!(bars.dates, truth.dates, "{id}");
        for (found, true_close) in bars.close.iter().zip(&truth.close) {
            assert!(
                (found / true_close - 1.0).abs() <= tolerance,
                "{id}: {found} {true_close}"
            );
        }
        let actions = source
            .actions("AAPL", &Call::quiet())
            .await
            .unwrap()
            .content;
        let info = bundled::list().iter().find(|i| i.id == "AAPL").unwrap();
        assert_eq!(actions.splits[..2], *info.splits, "{id}");
        let cash: Vec<f64> = actions.dividends.iter().map(|d| d.amount).collect();
        assert!(
            cash.len() == 3 && cash.iter().all(|c| (c - 2.65).abs() < 1e-9),
            "{id}"
        );
    }
    assert_eq!(replay.count("/v2/aggs/"), 6);
    // A key travels in the head where the vendor reads it there, and to Yahoo none does.
    for seen in replay.seen() {
        let in_address = seen.path == "/query" || seen.path.starts_with("/fred");
        assert_eq!(seen.key_in_address, in_address, "{seen:?}");
        assert_eq!(
            seen.key_in_head,
            !in_address && !seen.path.starts_with("/v8"),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn adjusted_by_the_vendor_or_as_traded() {
    let replay = Replay::start().await;
    let polygon = sources(&replay, limits()).get("polygon").unwrap();
    let mut wanted = ask("AAPL", "2005-02-24", "2005-03-01");
    let raw = all(&*polygon, &wanted).await.unwrap();
    wanted.adjusted = true;
    let adjusted = all(&*polygon, &wanted).await.unwrap();
    // Two for one on 2005-02-28.
    for i in 0..raw.len() {
        let ratio = if i < 2 { 2.0 } else { 1.0 };
        assert_eq!(raw.close[i], adjusted.close[i] * ratio);
    }
    let asked = replay.seen();
    assert!(asked[0].query.contains("adjusted=false") && asked[1].query.contains("adjusted=true"));
    assert_eq!(
        asked[0].path,
        "/v2/aggs/ticker/AAPL/range/1/day/2005-02-24/2005-03-01"
    );
}

#[tokio::test]
async fn hours_and_minutes_are_stamped_in_utc() {
    let replay = Replay::start().await;
    let sources = sources(&replay, limits());
    for (id, span) in [
        ("polygon", Span::Minute),
        ("polygon", Span::Hour),
        ("alpha_vantage", Span::Minute),
        ("alpha_vantage", Span::Hour),
    ] {
        let wanted = BarsAsk {
            span,
            ..ask("IBM", "2012-10-30", "2012-11-06")
        };
        let candles = all(&*sources.get(id).unwrap(), &wanted).await.unwrap();
        // 2012-10-30 was hurricane Sandy; clocks went back on 2012-11-04: 9:30 is 13:30, then 14:30.
        let at: Vec<String> = candles
            .at
            .iter()
            .map(|t| t.format("%m-%d %H:%M").to_string())
            .collect();
        let expected = [
            "10-31 13:30",
            "11-01 13:30",
            "11-02 13:30",
            "11-05 14:30",
            "11-06 14:30",
        ];
        assert_eq!(at, expected, "{id} {span:?}");
    }
    for id in ["fmp", "yahoo"] {
        let wanted = BarsAsk {
            span: Span::Hour,
            ..ask("IBM", "2012-10-30", "2012-11-06")
        };
        let error = all(&*sources.get(id).unwrap(), &wanted).await.unwrap_err();
        assert!(matches!(error.cause, Cause::NotOffered { .. }), "{error}");
    }
}

#[tokio::test]
async fn fred_gives_what_was_published_by_a_day() {
    let replay = Replay::start().await;
    let fred = sources(&replay, limits()).get("fred").unwrap();
    let wanted = |id: &str, as_of: Option<&str>| SeriesAsk {
        id: id.to_owned(),
        start: day("2013-01-01"),
        end: day("2014-12-31"),
        as_of: as_of.map(day),
    };
    let read = async |w: SeriesAsk| {
        let page = fred.series(&w, None, &Call::quiet()).await.unwrap();
        fred::published(&w.id, &page.content, w.as_of)
    };
    // As first published, known from that day on.
    let first = read(wanted("GDP", None)).await;
    assert_eq!(first.values, [17102.5, 17149.6]);
    assert_eq!(first.known_at, [day("2014-01-30"), day("2014-04-30")]);
    // As of a day: revisions until then, and nothing later.
    assert_eq!(
        read(wanted("GDP", Some("2014-03-01"))).await.values,
        [17080.7]
    );
    assert_eq!(
        read(wanted("GDP", Some("2014-06-25"))).await.values,
        [17089.6, 17016.0]
    );
    assert!(
        replay.seen()[1]
            .query
            .contains("realtime_start=2014-03-01&realtime_end=2014-03-01")
    );
    // A point is missing; a market's close is known on its day.
    let vix = read(SeriesAsk {
        start: day("2014-01-17"),
        end: day("2014-01-22"),
        ..wanted("VIXCLS", None)
    })
    .await;
    let dates: Vec<String> = vix.dates.iter().map(ToString::to_string).collect();
    assert_eq!(dates, ["2014-01-17", "2014-01-21", "2014-01-22"]);
    assert_eq!(vix.known_at, vix.dates);
    let error = fred
        .series(&wanted("NOSUCH", None), None, &Call::quiet())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "fred gave nothing for NOSUCH from 2013-01-01 to 2014-12-31: it does not know that (status 400, \"Bad Request. The series does not exist.\"); look at the symbol"
    );
}

#[tokio::test]
async fn there_is_more_to_look_at_than_bars() {
    let replay = Replay::start().await;
    let sources = sources(&replay, limits());
    let look = async |id: &str, view, symbol: &str| {
        let source = sources.get(id).unwrap();
        source
            .look(view, symbol, &Call::quiet())
            .await
            .map(|p| p.content)
    };
    let polygon = async |view, symbol: &str| look("polygon", view, symbol).await.unwrap();
    assert_eq!(
        polygon(View::Tickers, "AAPL").await[0]["primary_exchange"],
        "XNAS"
    );
    assert_eq!(polygon(View::News, "UBS").await[0]["tickers"][0], "UBS");
    let options = polygon(View::Options, "AAPL").await;
    assert_eq!(options[0]["details"]["contract_type"], "call");
    assert_eq!(
        options[1]["details"]["contract_type"], "put",
        "the second page"
    );
    assert_eq!(polygon(View::Snapshot, "AAPL").await[0]["day"]["c"], 430.47);
    assert_eq!(polygon(View::Status, "").await["market"], "extended-hours");
    assert_eq!(
        polygon(View::Holidays, "").await[1]["status"],
        "early-close"
    );
    let info = look("fred", View::Series, "GDP").await.unwrap();
    assert_eq!(info[0]["frequency"], "Quarterly");
    let dates = look("fred", View::Releases, "GDP").await.unwrap();
    assert_eq!(dates[0]["date"], "2014-07-30");
    let error = look("polygon", View::Tickers, "NOSUCH").await.unwrap_err();
    assert_eq!(error.cause, Cause::Empty);
    let error = look("fmp", View::News, "AAPL").await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it has no news; choose polygon"),
        "{error}"
    );
}

#[tokio::test]
async fn every_misbehaviour_is_one_sentence() {
    let replay = Replay::start().await;
    let says = |text: &str| Trouble::Says(text.to_owned());
    // What happens, how often it is tried, what is said.
    let cases = [
        (
            Trouble::Slow(Duration::from_secs(2)),
            3,
            "no answer came within 0.4 s, 3 times",
        ),
        (
            Trouble::Status(500, None),
            3,
            "it answered with status 500, 3 times",
        ),
        (
            Trouble::Status(503, Some(0)),
            3,
            "it answered with status 503, 3 times",
        ),
        (
            Trouble::Status(429, Some(3600)),
            1,
            "it allows no more requests now (again in 3600 s)",
        ),
        (Trouble::Cut, 3, "the answer was cut off"),
        (Trouble::WrongLength, 3, "the answer was cut off"),
        (Trouble::Truncated, 1, "its JSON breaks off after"),
        (Trouble::Html, 1, "it is an HTML page instead of JSON"),
        (Trouble::Garbage, 1, "it is not JSON"),
        (Trouble::Empty, 1, "it is empty"),
        (
            Trouble::Padded(3 << 20),
            1,
            "the answer is larger than 2 MB",
        ),
        (says("[1, 2]"), 1, "not of the documented shape"),
        (
            says(
                r#"{"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}"#,
            ),
            1,
            "it refused: \"You are not entitled to this data.\"",
        ),
        (
            says(r#"{"status": "OK", "results": [{"t": 1, "c": "no number"}]}"#),
            1,
            "\"no number\" is not a number",
        ),
    ];
    for (trouble, tries, words) in cases {
        let limits = Limits {
            bytes: 2 << 20,
            ..limits()
        };
        let polygon = sources(&replay, limits).get("polygon").unwrap();
        let before = replay.seen().len();
        replay.trouble("/v2/aggs/", trouble.clone(), 9);
        let error = all(&*polygon, &ask("IBM", "2010-01-04", "2010-01-29"))
            .await
            .unwrap_err();
        replay.calm();
        let text = error.to_string();
        let head = "polygon gave nothing for IBM from 2010-01-04 to 2010-01-29: ";
        assert!(
            text.starts_with(head) && text.contains(words),
            "{trouble:?}: {text}"
        );
        assert!(!text.contains('\n') && !text.contains(KEY), "{text}");
        assert_eq!(replay.seen().len() - before, tries, "{trouble:?}");
        assert_eq!(polygon.client().standing().last_error.unwrap().1, text);
    }
    // The vendors that refuse with status 200, one of them with the key in its words.
    let sources = sources(&replay, limits());
    for (id, path, body) in [
        (
            "alpha_vantage",
            "/query",
            json!({"Note": format!("We have detected your API key as {KEY} and our rate limit is 25 requests per day.")}),
        ),
        (
            "alpha_vantage",
            "/query",
            json!({"Information": "Thank you for using Alpha Vantage!"}),
        ),
        (
            "alpha_vantage",
            "/query",
            json!({"Error Message": "Invalid API call."}),
        ),
        (
            "fmp",
            "/stable",
            json!({"Error Message": "Limit Reach . Please upgrade your plan."}),
        ),
        (
            "yahoo",
            "/v8",
            json!({"chart": {"result": null, "error": {"code": "Bad Request", "description": "Invalid input"}}}),
        ),
    ] {
        replay.trouble(path, says(&body.to_string()), 1);
        let source = sources.get(id).unwrap();
        let error = all(&*source, &ask("IBM", "2010-01-04", "2010-01-29"))
            .await
            .unwrap_err();
        assert!(matches!(error.cause, Cause::Refused { .. }), "{error}");
        assert!(!error.to_string().contains(KEY), "{error}");
    }
    // A key that the vendor does not know.
    let wrong = Sources::new(Config {
        settings: vec![(
            "polygon",
            Setting {
                url: Some(replay.base.clone()),
                key: Key::new("another"),
                per_minute: None,
            },
        )],
        polygon_stream: None,
        limits: limits(),
        seed: 1,
        now: Arc::new(now),
    });
    let polygon = wrong.unwrap().get("polygon").unwrap();
    let error = all(&*polygon, &ask("IBM", "2010-01-04", "2010-01-29"))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it refused with status 401 (\"Unknown API Key\")"),
        "{error}"
    );
    // Nobody listens.
    let base = replay.base.clone();
    drop(replay);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let gone = sources.get("polygon").unwrap();
    let error = all(&*gone, &ask("IBM", "2010-01-04", "2010-01-29"))
        .await
        .unwrap_err();
    let port = base.rsplit(':').next().unwrap();
    assert!(!error.to_string().contains(port), "{error}");
    assert!(
        error.to_string().contains("it cannot be reached") || error.to_string().contains("cut off"),
        "{error}"
    );
}

#[tokio::test]
async fn a_pause_that_the_vendor_asks_for_is_kept() {
    let replay = Replay::start().await;
    let polygon = sources(&replay, limits()).get("polygon").unwrap();
    replay.trouble("/v2/aggs/", Trouble::Status(429, Some(1)), 1);
    let start = Instant::now();
    let bars = all(&*polygon, &ask("IBM", "2010-01-04", "2010-01-29"))
        .await
        .unwrap();
    assert_eq!(bars.len(), 19);
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(replay.count("/v2/aggs/"), 2);
    assert_eq!(polygon.client().standing().requests_today, 2);
}

#[tokio::test]
async fn a_source_that_keeps_failing_is_left_alone() {
    let replay = Replay::start().await;
    let once = Limits {
        tries: 1,
        ..limits()
    };
    let polygon = sources(&replay, once).get("polygon").unwrap();
    let wanted = ask("IBM", "2010-01-04", "2010-01-29");
    replay.trouble("/v2/aggs/", Trouble::Status(500, None), 99);
    for _ in 0..5 {
        all(&*polygon, &wanted).await.unwrap_err();
    }
    assert_eq!(polygon.client().standing().circuit, Circuit::Open);
    let error = all(&*polygon, &wanted).await.unwrap_err();
    assert!(
        matches!(error.cause, Cause::Resting { failures: 5, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("it failed 5 times in a row"),
        "{error}"
    );
    assert_eq!(
        replay.count("/v2/aggs/"),
        5,
        "the sixth question was not sent"
    );
    // The other sources go on.
    replay.calm();
    let fmp = sources(&replay, once).get("fmp").unwrap();
    assert_eq!(all(&*fmp, &wanted).await.unwrap().len(), 19);
    assert_eq!(fmp.client().standing().circuit, Circuit::Closed);
}

#[tokio::test]
async fn a_cancelled_request_ends_at_once_and_leaves_nothing() {
    let replay = Replay::start().await;
    let patient = Limits::default();
    let polygon = sources(&replay, patient).get("polygon").unwrap();
    replay.trouble("/v2/aggs/", Trouble::Slow(Duration::from_secs(20)), 9);
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
    let call = Call::quiet();
    let cancel = call.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    });
    let start = Instant::now();
    let wanted = ask("IBM", "2010-01-04", "2010-01-29");
    let error = collect::bars(&shelf, &*polygon, &wanted, now(), &call)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the request was cancelled, and nothing was kept"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(!folder.path().join("fetched").exists());
    // A cancelled request says nothing of the source.
    assert_eq!(polygon.client().standing().circuit, Circuit::Closed);
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_followed() {
    let replay = Replay::start().await;
    let polygon = sources(&replay, limits()).get("polygon").unwrap();
    let body = json!({"status": "OK", "results": [{"t": 1_262_581_200_000_i64, "c": 1}], "next_url": "https://evil.example/collect?cursor=1"});
    replay.trouble("/v2/aggs/", Trouble::Says(body.to_string()), 1);
    let error = all(&*polygon, &ask("IBM", "2010-01-04", "2010-01-29"))
        .await
        .unwrap_err();
    assert_eq!(
        error.cause,
        Cause::ForeignPage {
            host: "evil.example".to_owned()
        }
    );
    assert_eq!(replay.seen().len(), 1);
}

async fn collected(
    shelf: &Shelf,
    source: &dyn Source,
    start: &str,
    end: &str,
) -> Result<(Bars, u32), CollectError> {
    let wanted = ask("IBM", start, end);
    let came = collect::bars(shelf, source, &wanted, now(), &Call::quiet()).await?;
    Ok((came.content, came.requests))
}

#[tokio::test]
async fn only_what_is_missing_is_fetched_and_a_torn_file_again() {
    let replay = Replay::start().await;
    let polygon = sources(&replay, limits()).get("polygon").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
    let get =
        async |start: &str, end: &str| collected(&shelf, &*polygon, start, end).await.unwrap();
    let (bars, requests) = get("2010-01-01", "2010-03-31").await;
    assert_eq!((bars.len(), requests), (61, 1));
    assert_eq!(get("2010-01-01", "2010-03-31").await, (bars.clone(), 0));
    assert_eq!(get("2010-02-01", "2010-02-12").await.1, 0);
    // 2010-04-02 was Good Friday: nothing is missing until the 4th, a Sunday.
    assert_eq!(get("2010-01-01", "2010-03-31").await.1, 0);
    let (more, requests) = get("2010-01-01", "2010-06-30").await;
    assert_eq!((more.len(), requests), (124, 1));
    let asked = replay.seen();
    assert!(
        asked[1].path.ends_with("/2010-04-01/2010-06-30"),
        "{:?}",
        asked[1]
    );
    let truth = bundled::bars("IBM").unwrap().content;
    assert_eq!(
        more,
        truth.slice(Some(day("2010-01-01")), Some(day("2010-06-30")))
    );
    // Half of the second file is lost.
    let file = folder
        .path()
        .join("fetched/polygon/day/IBM/2010-04-01_2010-06-30.parquet");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(get("2010-01-01", "2010-06-30").await, (more, 1));
    assert!(replay.seen()[2].path.ends_with("/2010-04-01/2010-06-30"));
    // A failure keeps what was there and adds nothing.
    replay.trouble("/v2/aggs/", Trouble::Html, 9);
    assert!(
        collected(&shelf, &*polygon, "2010-01-01", "2010-12-31")
            .await
            .is_err()
    );
    replay.calm();
    let files = std::fs::read_dir(file.parent().unwrap()).unwrap().count();
    assert_eq!(files, 4, "two parts and their manifests");
    // Days on which nothing was open are not asked for, and days to come neither.
    let error = collected(&shelf, &*polygon, "2010-12-25", "2010-12-26")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("the exchange has not been open"),
        "{error}"
    );
    let error = collected(&shelf, &*polygon, "2027-01-04", "2027-01-29")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("the exchange has not been open"),
        "{error}"
    );
}

#[tokio::test]
async fn one_thing_is_fetched_once_by_many() {
    let replay = Replay::start().await;
    let polygon = sources(&replay, limits()).get("polygon").unwrap();
    let folder = tempfile::tempdir().unwrap();
    replay.trouble("/v2/aggs/", Trouble::Slow(Duration::from_millis(200)), 1);
    let fetches = (0..8).map(|_| {
        let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
        let polygon = polygon.clone();
        tokio::spawn(async move {
            collected(&shelf, &*polygon, "2010-01-01", "2010-12-31")
                .await
                .unwrap()
        })
    });
    let mut rows = Vec::new();
    for fetch in fetches.collect::<Vec<_>>() {
        rows.push(fetch.await.unwrap().0.len());
    }
    assert_eq!(rows, [252; 8]);
    assert_eq!(replay.count("/v2/aggs/"), 1);
}

#[tokio::test]
async fn a_long_download_is_kept_month_by_month() {
    let replay = Replay::start().await;
    let polygon = sources(&replay, limits()).get("polygon").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(Library::new(folder.path().to_path_buf()));
    let wanted = BarsAsk {
        span: Span::Minute,
        ..ask("IBM", "2012-01-01", "2012-04-30")
    };
    // March fails: January and February are there already.
    replay.trouble("/2012-03-01/", Trouble::Html, 1);
    let get = async || collect::intraday(&shelf, &*polygon, &wanted, now(), &Call::quiet()).await;
    assert!(get().await.is_err());
    let came = get().await.unwrap();
    assert_eq!((came.requests, came.content.len()), (2, 82));
    assert_eq!(get().await.unwrap().requests, 0);
    assert_eq!(replay.count("/range/1/minute/"), 5);
    // Adjusted by the vendor, a longer span is asked for whole: figures of two days do not fit together.
    for (end, requests, bars) in [
        ("2012-01-31", 1, 20),
        ("2012-02-29", 2, 40),
        ("2012-02-29", 0, 40),
    ] {
        let wanted = BarsAsk {
            span: Span::Minute,
            adjusted: true,
            ..ask("IBM", "2012-01-01", end)
        };
        let came = collect::intraday(&shelf, &*polygon, &wanted, now(), &Call::quiet()).await;
        let came = came.unwrap();
        assert_eq!((came.requests, came.content.len()), (requests, bars));
    }
}

#[tokio::test]
async fn minute_bars_come_over_the_stream() {
    let replay = Replay::start().await;
    let stream = sources(&replay, limits()).stream().unwrap();
    let (to, mut from) = tokio::sync::mpsc::channel(8);
    let call = Call::quiet();
    let cancel = call.cancel.clone();
    let listening = tokio::spawn(async move {
        stream
            .minutes(&["AAPL".to_owned(), "IBM".to_owned()], &call, to)
            .await
    });
    let apple = from.recv().await.unwrap();
    assert_eq!((apple.symbol.as_str(), apple.close), ("AAPL", 430.47));
    assert_eq!(apple.at.to_rfc3339(), "2013-03-01T14:30:00+00:00");
    assert_eq!(from.recv().await.unwrap().symbol, "IBM");
    cancel.cancel();
    assert_eq!(listening.await.unwrap(), Ok(()));
    // A line that breaks is opened again.
    replay.hang_up(1);
    let stream = sources(&replay, limits()).stream().unwrap();
    let (to, mut from) = tokio::sync::mpsc::channel(8);
    let call = Call::quiet();
    let cancel = call.cancel.clone();
    let listening =
        tokio::spawn(async move { stream.minutes(&["IBM".to_owned()], &call, to).await });
    for _ in 0..2 {
        assert_eq!(from.recv().await.unwrap().close, 202.91);
    }
    cancel.cancel();
    assert_eq!(listening.await.unwrap(), Ok(()));
    // A key that is refused.
    let refused = Sources::new(Config {
        settings: vec![(
            "polygon",
            Setting {
                key: Key::new("another"),
                ..Setting::default()
            },
        )],
        polygon_stream: Some(replay.stream.clone()),
        limits: limits(),
        seed: 1,
        now: Arc::new(now),
    });
    let stream = refused.unwrap().stream().unwrap();
    let (to, _from) = tokio::sync::mpsc::channel(8);
    let error = stream
        .minutes(&["AAPL".to_owned()], &Call::quiet(), to)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "polygon gave nothing for the minute bars of AAPL: it refused: \"authentication failed\""
    );
}

/// Calls the program with the replay server as all vendors.
async fn call(replay: &Replay, data_dir: &Path, args: &[&str]) -> Answer {
    let mut env = replay.env();
    env.push(("MLTRAINER_SOURCE_TIMEOUT".to_owned(), "2".to_owned()));
    env.push(("MLTRAINER_LOG".to_owned(), "debug".to_owned()));
    let (data_dir, args) = (
        data_dir.to_owned(),
        args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(),
    );
    tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        cli_in(Path::new("."), &data_dir, &args, &env)
    })
    .await
    .unwrap()
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, wanted);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(wanted.len()).any(|w| w == wanted)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetched_data_are_data_sets_and_no_key_is_left_anywhere() {
    let replay = Replay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let fetch = [
        "data",
        "fetch",
        "--source",
        "polygon",
        "--symbol",
        "AAPL",
        "--start",
        "2004-01-01",
        "--end",
        "2007-12-31",
        "--format",
        "json",
    ];
    let mut said = String::new();
    let mut ask = async |args: &[&str]| {
        let answer = call(&replay, &data, args).await;
        said.push_str(&answer.stdout);
        said.push_str(&answer.stderr);
        answer
    };
    let first = ask(&fetch).await.json();
    assert_eq!(first["dataset"]["id"], "polygon:AAPL");
    assert_eq!(first["dataset"]["source"], "polygon");
    // 252, 252, 251 and 251 trading days.
    assert_eq!(first["dataset"]["rows"], 1006);
    // Bars, splits, dividends.
    assert_eq!(first["requests"], 3);
    let sent = replay.seen().len();
    let again = ask(&fetch).await.json();
    assert_eq!(again["requests"], 0);
    assert_eq!(again["dataset"]["sha256"], first["dataset"]["sha256"]);
    assert_eq!(replay.seen().len(), sent, "the second fetch asked nothing");

    // Adjusted for the split of 2005 as the bundled set is.
    let shown = ask(&["data", "show", "polygon:AAPL", "--format", "json"])
        .await
        .json();
    let source = shown["lineage"][0]["detail"].as_str().unwrap();
    assert!(
        source.contains("request ids polygon-0") && source.contains("2 for 1 on 2005-02-28"),
        "{source}"
    );
    let out = folder.path().join("AAPL.csv");
    let name = out.to_str().unwrap();
    assert_eq!(
        ask(&["data", "export", "polygon:AAPL", "--out", name])
            .await
            .code,
        0
    );
    let text = std::fs::read_to_string(&out).unwrap();
    let bundled = bundled::bars("AAPL").unwrap().content;
    let bundled = bundled.slice(Some(day("2004-01-01")), Some(day("2007-12-31")));
    for (line, (date, close)) in text
        .lines()
        .skip(1)
        .zip(bundled.dates.iter().zip(&bundled.close))
    {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[0], date.to_string());
        assert_eq!(cells[4].parse::<f64>().unwrap(), *close);
    }
    let parquet = folder.path().join("AAPL.parquet");
    ask(&[
        "data",
        "export",
        "polygon:AAPL",
        "--out",
        parquet.to_str().unwrap(),
    ])
    .await;
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    ask(&["data", "export", "polygon:AAPL", "--out", "AAPL.xlsx"])
        .await
        .refused(2, &["--out", ".parquet"]);

    // A trial on it.
    let trial = ask(&[
        "trial",
        "run",
        "--symbols",
        "AAPL",
        "--source",
        "polygon",
        "--models",
        "ridge",
        "--target",
        "log_volatility",
        "--horizon",
        "5",
        "--folds",
        "2",
        "--format",
        "json",
    ])
    .await
    .json();
    assert_eq!(trial["state"], "finished", "{trial}");
    assert_eq!(trial["lineage"]["datasets"][0]["id"], "polygon:AAPL");

    // Series: as first published, and as of a day.
    let vix = ask(&[
        "data",
        "fetch",
        "--source",
        "fred",
        "--series",
        "VIXCLS",
        "--start",
        "2014-01-01",
        "--end",
        "2014-12-31",
        "--format",
        "json",
    ])
    .await
    .json();
    assert_eq!(vix["dataset"]["id"], "fred:VIXCLS");
    let few = [
        "data",
        "fetch",
        "--source",
        "fred",
        "--series",
        "GDP",
        "--as-of",
        "2014-03-01",
    ];
    // Two figures are too few for the gate: refused, and not there.
    let refused = ask(&few).await;
    assert_eq!(refused.code, 3);
    let last = refused.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("mltrainer: what fred gave for GDP from 1776-07-04 to 2014-03-01 as of 2014-03-01 was refused by rule no_silent_fill_in: "),
        "{last}"
    );

    // Every failure is one sentence with exit code 3, and nothing new is listed.
    let before = ask(&["data", "list", "--format", "json"]).await.json();
    for (trouble, words) in [
        (Trouble::Html, "HTML page"),
        (Trouble::Truncated, "breaks off"),
        (Trouble::Status(401, None), "status 401"),
        (Trouble::Status(429, Some(999)), "no more requests"),
        (
            Trouble::Says(
                json!({"status": "ERROR", "error": format!("bad apiKey={KEY}")}).to_string(),
            ),
            "refused",
        ),
    ] {
        replay.trouble("/v2/aggs/", trouble, 9);
        let answer = ask(&[
            "data",
            "fetch",
            "--source",
            "polygon",
            "--symbol",
            "IBM",
            "--start",
            "2010-01-04",
            "--end",
            "2010-12-31",
        ])
        .await;
        assert_eq!(answer.code, 3, "{}", answer.stderr);
        let last = answer.stderr.lines().last().unwrap();
        assert!(
            last.starts_with(
                "mltrainer: polygon gave nothing for IBM from 2010-01-04 to 2010-12-31: "
            ),
            "{last}"
        );
        assert!(last.contains(words), "{last}");
        replay.calm();
    }
    let nothing = ask(&[
        "data",
        "fetch",
        "--source",
        "polygon",
        "--symbol",
        "NOSUCH",
        "--start",
        "2010-01-04",
        "--end",
        "2010-12-31",
    ])
    .await;
    assert_eq!(nothing.code, 3);
    assert!(
        nothing.stderr.contains("the answer holds no data"),
        "{}",
        nothing.stderr
    );
    assert_eq!(
        ask(&["data", "list", "--format", "json"]).await.json(),
        before
    );

    // Another source when the first gives nothing, and it is said.
    replay.trouble("/v2/aggs/", Trouble::Html, 9);
    let other = ask(&[
        "data",
        "fetch",
        "--source",
        "polygon",
        "--symbol",
        "IBM",
        "--start",
        "2010-01-04",
        "--end",
        "2010-12-31",
        "--failover",
        "fred,yahoo",
        "--format",
        "json",
    ])
    .await
    .json();
    assert_eq!(other["dataset"]["id"], "yahoo:IBM");
    let failed: Vec<&str> = other["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["source"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["polygon", "fred"]);
    assert!(
        other["notes"][0]
            .as_str()
            .unwrap()
            .starts_with("yahoo was asked instead of polygon")
    );

    let records = sqlite::python(
        &sqlite::database(&data),
        "print(json.dumps(db.execute(f\"select decision, subject, detail from {chain()} where action = 'dataset.fetch'\").fetchall()))",
    );
    let of = |subject: &str, decision: &str| {
        let all = records.as_array().unwrap().iter();
        all.filter(|r| r[0] == decision && r[1] == subject).count()
    };
    assert_eq!(of("polygon:AAPL", "allowed"), 2);
    assert_eq!(of("polygon:IBM", "refused"), 5);
    assert_eq!(of("fred:GDP@2014-03-01", "refused"), 1);
    assert_eq!(of("yahoo:IBM", "allowed"), 1);
    assert!(
        records.to_string().contains("polygon-splits") || records.to_string().contains("polygon-0")
    );
    assert_eq!(ask(&["audit", "verify"]).await.code, 0);

    let doctor = ask(&["doctor", "--format", "json"]).await.json();
    let checks = doctor["checks"].as_array().unwrap();
    let found = |name: &str| checks.iter().find(|c| c["name"] == name).unwrap();
    for name in [
        "source polygon",
        "source fred",
        "source alpha_vantage",
        "source fmp",
        "source yahoo",
    ] {
        assert_eq!(found(name)["ok"], true, "{}", found(name));
        assert!(
            found(name)["detail"].as_str().unwrap().ends_with("answers"),
            "{}",
            found(name)
        );
    }

    // The planted key: in no output, no log line (debug), no file, no record.
    assert!(!said.contains(KEY), "{said}");
    assert!(
        !holds(&data, KEY.as_bytes()),
        "a file of the data folder holds the key"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_over_http() {
    let replay = Replay::start().await;
    let mut launch = Launch::fresh();
    for (name, value) in replay.env() {
        launch = launch.env(&name, value);
    }
    let server = launch.env("MLTRAINER_LOG", "debug").start().await;
    let status = server.json("/api/v1/sources").await;
    assert_eq!(status.as_array().unwrap().len(), 5);
    assert_eq!(
        (
            &status[0]["id"],
            &status[0]["configured"],
            &status[0]["circuit"]
        ),
        (&json!("polygon"), &json!(true), &json!("closed"))
    );
    let body =
        json!({"source": "polygon", "symbol": "IBM", "start": "2010-01-01", "end": "2011-12-31"});
    let answer = server.post("/api/v1/data/fetch", &body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let made: Value = answer.json().await.unwrap();
    assert_eq!(made["dataset"]["rows"], 504);
    let answer = server.post("/api/v1/data/fetch", &body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    // As of the Friday before the split of 2005 the price is the one that was traded.
    let apple =
        json!({"source": "polygon", "symbol": "AAPL", "start": "2004-01-01", "end": "2006-12-31"});
    server.post("/api/v1/data/fetch", &apple).await;
    for (query, close) in [
        ("as_of=2005-02-25", 88.99),
        ("as_of=2005-02-28&end=2005-02-25", 44.495),
        ("as_of=2005-02-28&end=2005-02-25&adjust=raw", 88.99),
    ] {
        let path = format!("/api/v1/datasets/polygon:AAPL/bars?start=2005-02-25&{query}");
        let bars = server.json(&path).await;
        assert_eq!(bars[0]["close"], close, "{query}: {bars}");
    }
    for (body, code, words) in [
        (json!({"source": "polygon"}), 422, "symbol"),
        (
            json!({"source": "poligon", "symbol": "IBM"}),
            404,
            "polygon",
        ),
        (
            json!({"source": "polygon", "symbol": "../x"}),
            422,
            "not a symbol",
        ),
        (
            json!({"source": "polygon", "symbol": "IBM", "start": "2011-01-01", "end": "2010-01-01"}),
            422,
            "before",
        ),
        (
            json!({"source": "polygon", "symbol": "NOSUCH", "start": "2010-01-01", "end": "2010-12-31"}),
            422,
            "no data",
        ),
        (
            json!({"source": "fred", "symbol": "IBM", "start": "2010-01-01", "end": "2010-12-31"}),
            422,
            "has no bars",
        ),
        (
            json!({"source": "fred", "series": "GDP", "keys": 1}),
            422,
            "keys",
        ),
    ] {
        let answer = server.post("/api/v1/data/fetch", &body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, code, "{body}: {text}");
        assert!(text.contains(words), "{body}: {text}");
    }
    replay.trouble("/v2/aggs/", Trouble::Status(500, None), 99);
    let answer = server
        .post("/api/v1/data/fetch", &json!({"source": "polygon", "symbol": "MSFT", "start": "2010-01-01", "end": "2010-12-31"}))
        .await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let problem: Value = answer.json().await.unwrap();
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("polygon gave nothing for MSFT from 2010-01-01"),
        "{problem}"
    );
    let status = server.json("/api/v1/sources").await;
    assert_eq!(status[0]["failures"], 1);
    assert!(
        status[0]["last_error"]["reason"]
            .as_str()
            .unwrap()
            .contains("status 500")
    );
    assert!(!status.to_string().contains(KEY));
    let (_, log) = server.stop();
    assert!(!log.contains(KEY), "the log holds the key");
}

/// Prices of their day, splits and dividends: Apple, its split of 2 for 1 on 2005-02-28 and its dividends of 2.65
/// dollars on 2012-08-09, 2012-11-07 and 2013-02-07.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_tests_trade_at_the_prices_of_the_day_and_are_paid_dividends() {
    let replay = Replay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let hold = file(
        "hold.json",
        r#"{"name": "hold", "weight": "1", "costs": {"rate": 0.0}}"#,
    );
    let fetch = "data fetch --source polygon --symbol AAPL --start 2004-01-01 --end 2013-03-01 --format json";
    let fetch: Vec<&str> = fetch.split(' ').collect();
    let fetched = call(&replay, &data, &fetch).await.json();
    assert_eq!(fetched["dataset"]["id"], "polygon:AAPL");
    let test = async |symbol: &str, start: &str, end: &str, strategy: &str| {
        let args = format!(
            "backtest --symbols {symbol} --start {start} --end {end} --format json --strategy"
        );
        let mut args: Vec<&str> = args.split(' ').collect();
        args.push(strategy);
        call(&replay, &data, &args).await
    };
    let rules = |v: &serde_json::Value| -> Vec<String> {
        let all = v["findings"].as_array().unwrap().iter();
        all.map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect()
    };
    let last = |v: &serde_json::Value, name: &str| {
        v[name]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .as_f64()
            .unwrap()
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b.abs(), "{a} is not {b}");
    let bundled = bundled::bars("AAPL").unwrap().content;
    let at = |date: &str| bundled.dates.binary_search(&day(date)).unwrap();

    // No split after these days: the bundled prices are those that were traded.
    let paid = test("polygon:AAPL", "2012-07-02", "2013-03-01", &hold)
        .await
        .json();
    assert_eq!(paid["spec"]["symbols"][0]["actions"]["dividends"], 3);
    assert_eq!(paid["fills"].as_array().unwrap().len(), 1);
    let (units, price) = (
        paid["fills"][0]["units"].as_f64().unwrap(),
        paid["fills"][0]["price"].as_f64().unwrap(),
    );
    near(price, bundled.open.as_ref().unwrap()[at("2012-07-03")]);
    let end = bundled.close[at("2013-03-01")];
    near(
        last(&paid, "equity"),
        10_000.0 - units * price + units * (end + 3.0 * 2.65),
    );
    // Held with dividends reinvested at the close before.
    let mut held = end / bundled.close[at("2012-07-02")];
    for ex in ["2012-08-09", "2012-11-07", "2013-02-07"] {
        held /= 1.0 - 2.65 / bundled.close[at(ex) - 1];
    }
    near(last(&paid, "benchmark_equity"), 10_000.0 * held);
    assert!(!rules(&paid).contains(&"dividends_unknown".to_owned()));

    // The same days as they ship: no dividend, and that is said.
    let unpaid = test("AAPL", "2012-07-02", "2013-03-01", &hold).await.json();
    near(
        last(&unpaid, "equity"),
        10_000.0 - units * price + units * end,
    );
    assert!(rules(&unpaid).contains(&"dividends_unknown".to_owned()));

    // Through a split, fetched and as it ships: bought at the price of its day, twice the shares after it.
    for symbol in ["polygon:AAPL", "AAPL"] {
        let split = test(symbol, "2005-02-01", "2005-04-29", &hold).await.json();
        let actions = &split["spec"]["symbols"][0]["actions"];
        assert_eq!(actions["splits"][0]["date"], "2005-02-28", "{symbol}");
        assert_eq!(actions["splits"][0]["ratio"], 2.0);
        let fill = &split["fills"][0];
        let (units, price) = (
            fill["units"].as_f64().unwrap(),
            fill["price"].as_f64().unwrap(),
        );
        near(
            price,
            2.0 * bundled.open.as_ref().unwrap()[at("2005-02-02")],
        );
        let end = bundled.close[at("2005-04-29")];
        near(
            last(&split, "equity"),
            10_000.0 - units * price + 2.0 * units * end,
        );
    }

    // Stops in the units that the expressions see, through the split: the same trades as with everything in them.
    let stops = file(
        "stops.json",
        r#"{"name": "stops", "long": {"enter": "close > lag(close, 1)"}, "stop_loss": {"kind": "amount", "expression": "atr(5)"},
            "profit_target": {"kind": "amount", "expression": "1.5 * atr(5)"},
            "sizing": {"kind": "fraction", "fraction": 1.0}, "whole_shares": false, "costs": {"rate": 0.001}}"#,
    );
    let raw = test("AAPL", "2005-01-03", "2005-06-30", &stops)
        .await
        .json();
    let adjusted = folder.path().join("adjusted.csv");
    let mut lines = "date,open,high,low,close,volume\n".to_owned();
    for i in at("2005-01-03")..=at("2005-06-30") {
        let c = |column: &Option<Vec<f64>>| column.as_ref().unwrap()[i];
        lines.push_str(&format!(
            "{},{},{},{},{},{}\n",
            bundled.dates[i],
            c(&bundled.open),
            c(&bundled.high),
            c(&bundled.low),
            bundled.close[i],
            c(&bundled.volume)
        ));
    }
    std::fs::write(&adjusted, lines).unwrap();
    let import = [
        "data",
        "import",
        adjusted.to_str().unwrap(),
        "--symbol",
        "APPLE",
        "--origin",
        "user_provided",
    ];
    let imported = call(&replay, &data, &import).await;
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    let plain = test("APPLE", "2005-01-03", "2005-06-30", &stops)
        .await
        .json();
    let trades = |v: &serde_json::Value| v["trades"].as_array().unwrap().clone();
    assert!(trades(&raw).len() > 5);
    assert_eq!(trades(&raw).len(), trades(&plain).len());
    for (a, b) in trades(&raw).iter().zip(&trades(&plain)) {
        assert_eq!((&a["entry"], &a["exit"]), (&b["entry"], &b["exit"]));
        near(a["pnl"].as_f64().unwrap(), b["pnl"].as_f64().unwrap());
    }
    near(last(&raw, "equity"), last(&plain, "equity"));

    // Closes alone: at the next close, or a sentence that says so.
    let closes = file(
        "closes.json",
        r#"{"name": "closes", "weight": "if(close > sma(close, 50), 1, 0)", "fill": "next_close", "whole_shares": false}"#,
    );
    let good = test("KO_ADJ", "2000-01-03", "2005-12-30", &closes)
        .await
        .json();
    assert!(good["fills"].as_array().unwrap().len() > 10);
    assert!(!rules(&good).contains(&"dividends_unknown".to_owned()));
    let refused = test("KO_ADJ", "2000-01-03", "2005-12-30", &hold).await;
    assert_eq!(refused.code, 3);
    assert!(
        refused.stderr.contains("KO_ADJ has closes only, and the strategy fills at the next open: let it say \"fill\": \"next_close\""),
        "{}",
        refused.stderr
    );

    // An optimisation is told and traded the same way.
    let search = "backtest optimise --symbols SYMBOL --start 2010-01-04 --strategy trend_filter --search window=50..60 --method random --evaluations 3 --folds 2 --format json";
    for (symbol, says) in [("polygon:AAPL", false), ("AAPL", true)] {
        let args = search.replace("SYMBOL", symbol);
        let args: Vec<&str> = args.split(' ').collect();
        let found = call(&replay, &data, &args).await;
        assert_eq!(found.code, 0, "{}", found.stderr);
        assert_eq!(
            found
                .stdout
                .contains("Dividends of AAPL are not in the data"),
            says,
            "{symbol}"
        );
        assert!(found.stdout.contains("\"dividends\""), "{symbol}");
    }
}
