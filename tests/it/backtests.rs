//! Back tests from outside: what HTTP and the command line promise of them, that nothing of the future
//! is seen, and what is refused.

use mltrainer_it::cli::{Answer, no_internals};
use mltrainer_it::server::content_type;
use mltrainer_it::{Server, cli, cli_in, csv};
use mltrainer_types::data::Bar;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;

fn numbers(value: &Value) -> Vec<f64> {
    let items = value.as_array().unwrap_or_else(|| panic!("{value}"));
    items.iter().map(|v| v.as_f64().unwrap()).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

/// A call of the command line in a folder, with the data folder `data` in it.
fn call(folder: &Path, args: &[&str]) -> Answer {
    cli_in(folder, &folder.join("data"), args, &[])
}

#[tokio::test]
async fn a_symbol_alone_makes_a_back_test_that_can_be_read_listed_and_taken_along() {
    let server = Server::fresh().await;
    let empty = server.json("/api/v1/backtests").await;
    assert_eq!(empty["items"], json!([]));
    let answer = server
        .post("/api/v1/backtests", &json!({"symbols": ["AAPL"]}))
        .await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let made: Value = answer.json().await.unwrap();
    let id = made["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/backtests/{id}"));
    assert_eq!(server.json(&location).await, made);

    // Every column has a value for each bar, and the figures fit each other.
    let bars = server
        .bars("bundled:AAPL", "2000-01-01", "2020-01-01")
        .await;
    let equity = numbers(&made["equity"]);
    assert_eq!(equity.len(), bars.len());
    for name in [
        "dates",
        "benchmark_equity",
        "drawdown",
        "exposure",
        "rolling_sharpe",
    ] {
        assert_eq!(made[name].as_array().unwrap().len(), bars.len(), "{name}");
    }
    let total = equity.last().unwrap() / 10_000.0 - 1.0;
    assert!(near(
        made["metrics"]["total_return"].as_f64().unwrap(),
        total
    ));
    let held = bars.last().unwrap().close / bars[0].close - 1.0;
    assert!(near(
        made["metrics"]["benchmark_return"].as_f64().unwrap(),
        held
    ));
    let months = made["monthly"].as_array().unwrap();
    let product: f64 = months
        .iter()
        .map(|m| 1.0 + m["value"].as_f64().unwrap())
        .product();
    assert!(
        near(product - 1.0, total),
        "months multiply to the whole: {product} {total}"
    );
    // What the cash became is what the trades gained: no position is open at the end.
    assert_eq!(made["open_trades"], json!([]));
    let trades = made["trades"].as_array().unwrap();
    let gained: f64 = trades.iter().map(|t| t["pnl"].as_f64().unwrap()).sum();
    assert!((gained - (equity.last().unwrap() - 10_000.0)).abs() < 1e-6);
    for fill in made["fills"].as_array().unwrap() {
        assert!(fill["explanation"].as_str().unwrap().len() > 20, "{fill}");
    }
    assert!(made["verdict"]["text"].as_str().unwrap().len() > 40);
    assert_eq!(made["verdict"]["tried"], 1);
    assert_eq!(made["costs"].as_array().unwrap().len(), 7);
    assert!(!made["lineage"].as_array().unwrap().is_empty());

    let listed = server.json("/api/v1/backtests").await;
    assert_eq!(listed["items"][0]["id"], id);
    assert_eq!(listed["items"][0]["trades"], trades.len());

    // As files.
    let text = |name: &str| {
        let path = format!("{location}/{name}");
        let server = &server;
        async move {
            let answer = server.get(&path).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            answer
        }
    };
    let csv = text("trades.csv").await;
    assert!(content_type(&csv).starts_with("text/csv"));
    assert_eq!(csv.text().await.unwrap().lines().count(), 1 + trades.len());
    let csv = text("equity.csv").await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 1 + bars.len());
    let last = csv.lines().last().unwrap();
    assert!(
        last.starts_with(&format!(
            "{},{}",
            bars.last().unwrap().date,
            equity.last().unwrap()
        )),
        "{last}"
    );
    let fills = text("fills.csv").await.text().await.unwrap();
    assert_eq!(
        fills.lines().count(),
        1 + made["fills"].as_array().unwrap().len()
    );
    for name in ["trades.parquet", "fills.parquet", "equity.parquet"] {
        let bytes = text(name).await.bytes().await.unwrap();
        assert!(
            bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"),
            "{name}"
        );
    }
    let svg = text("charts/equity.svg").await;
    assert_eq!(content_type(&svg), "image/svg+xml");

    // The report needs nothing else: no script, and no address but those of documents.
    let report = text("report.html").await;
    assert!(content_type(&report).starts_with("text/html"));
    let html = report.text().await.unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    for word in ["<script", "<link", "<img", "src=", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains(made["verdict"]["text"].as_str().unwrap()));
    assert!(html.matches("<svg").count() > 3);

    // Who did it is in the chain, which is whole.
    let audit = server
        .json(&format!("/api/compliance/audit?subject={id}"))
        .await;
    let record = &audit["items"][0];
    assert_eq!(
        (&record["action"], &record["subject"]),
        (&json!("backtest.run"), &json!(id))
    );
    let hash = made["result_sha256"].as_str().unwrap();
    assert!(
        record["detail"].as_str().unwrap().contains(hash),
        "{record}"
    );
    assert_eq!(
        server.json("/api/compliance/audit/verify").await["ok"],
        true
    );
}

#[tokio::test]
async fn the_same_test_is_one_thing_tried_and_a_key_makes_one() {
    let server = Server::fresh().await;
    let body = json!({"symbols": ["IBM"], "strategy": "rsi_reversion", "params": {"period": 7}});
    let send = |body: Value, key: &'static str| {
        let server = &server;
        async move {
            let request = server.request(Method::POST, "/api/v1/backtests");
            let answer = request
                .header("idempotency-key", key)
                .json(&body)
                .send()
                .await
                .unwrap();
            (answer.status(), answer.json::<Value>().await.unwrap())
        }
    };
    let (status, first) = send(body.clone(), "a").await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let (_, repeated) = send(body.clone(), "a").await;
    assert_eq!(repeated["id"], first["id"]);
    let (status, _) = send(json!({"symbols": ["AAPL"]}), "a").await;
    assert_eq!(status, StatusCode::CONFLICT);

    // Again under another key: another back test, the same result, one thing tried.
    let (_, again) = send(body, "b").await;
    assert_ne!(again["id"], first["id"]);
    assert_eq!(again["result_sha256"], first["result_sha256"]);
    assert_eq!(again["spec_sha256"], first["spec_sha256"]);
    assert_eq!(again["verdict"]["tried"], 1);

    // Written out as JSON it is still the same; other parameters are another thing tried.
    let (_, written) = send(
        json!({"symbols": ["IBM"], "strategy": first["spec"]["strategy"]}),
        "c",
    )
    .await;
    assert_eq!(written["result_sha256"], first["result_sha256"]);
    assert_eq!(written["verdict"]["tried"], 1);
    let (_, other) = send(
        json!({"symbols": ["IBM"], "strategy": "rsi_reversion"}),
        "d",
    )
    .await;
    assert_eq!(other["verdict"]["tried"], 2);
    // On another symbol nothing was tried before.
    let (_, elsewhere) = send(json!({"symbols": ["MSFT"]}), "e").await;
    assert_eq!(elsewhere["verdict"]["tried"], 1);

    // The command line on a data folder of its own comes to the same result.
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "backtest",
        "--symbols",
        "IBM",
        "--strategy",
        "rsi_reversion",
        "--set",
        "period=7",
        "--format",
        "json",
    ];
    let said = cli(folder.path(), &args).json();
    assert_eq!(said["result_sha256"], first["result_sha256"]);
}

#[tokio::test]
async fn what_is_held_and_what_rests_is_worth_what_can_be_computed_by_hand() {
    let server = Server::fresh().await;
    let bars = server
        .bars("bundled:MSFT", "2005-01-01", "2006-12-31")
        .await;
    let folder = tempfile::tempdir().unwrap();
    let span = [
        "--symbols",
        "MSFT",
        "--start",
        "2005-01-01",
        "--end",
        "2006-12-31",
        "--format",
        "json",
    ];
    let run = |more: &[&str]| {
        let args: Vec<&str> = ["backtest"]
            .iter()
            .chain(&span)
            .chain(more)
            .copied()
            .collect();
        call(folder.path(), &args).json()
    };

    // All the cash buys at the second bar's open, in fractions of shares and without costs.
    let held = run(&[
        "--strategy",
        "buy_and_hold",
        "--fractional",
        "--commission",
        "0",
    ]);
    let shares = 10_000.0 / bars[1].open.unwrap();
    for (equity, bar) in numbers(&held["equity"]).iter().zip(&bars).skip(1) {
        assert!(near(*equity, shares * bar.close), "{}: {equity}", bar.date);
    }

    // A strategy that does not trade earns interest, a 252nd of the year's a bar, and nothing else.
    let never = folder.path().join("never.json");
    std::fs::write(
        &never,
        r#"{"name": "never", "long": {"enter": "close < 0"}}"#,
    )
    .unwrap();
    let rests = run(&["--strategy", "never.json", "--cash-rate", "0.05"]);
    for (t, equity) in numbers(&rests["equity"]).iter().enumerate() {
        let by_hand = 10_000.0 * (1.0 + 0.05 / 252.0_f64).powi(i32::try_from(t).unwrap());
        assert!(near(*equity, by_hand), "bar {t}: {equity} is not {by_hand}");
    }
    assert_eq!(
        (&rests["fills"], &rests["trades"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(rests["metrics"]["commission_paid"], 0.0);
    assert_eq!(rests["verdict"]["found_edge"], false);
    assert_eq!(rests["findings"][0]["rule"], "no_trades");
    let without = run(&["--strategy", "never.json"]);
    assert!(numbers(&without["equity"]).iter().all(|e| *e == 10_000.0));
}

/// Day after which the prices are others.
const CUT: &str = "2008-06-30";

/// A strategy that looks at everything a strategy can look at: features, entries of the catalogue, windows,
/// stops in true ranges, sizes by volatility.
fn curious() -> Value {
    json!({
        "name": "curious",
        "columns": [{"name": "trend", "entry": "ema", "params": {"period": 20}, "output": "ema"}],
        "define": [{"name": "calm", "expression": "log_volatility_20 < sma(log_volatility_20, 60)"}],
        "long": {"enter": "close > trend and calm and zscore(close, 20) < 1.5", "exit": "close < trend"},
        "short": {"enter": "close < trend and rsi(close, 14) > 40", "exit": "close > trend or momentum_10 > 0.1"},
        "sizing": {"kind": "volatility_target", "annual": 0.2, "window": 20, "cap": 1.0},
        "stop_loss": {"kind": "amount", "expression": "3 * atr(14)"},
        "trailing_stop": {"kind": "share", "share": 0.1},
        "max_bars": 30
    })
}

#[tokio::test]
async fn prices_after_a_day_change_nothing_before_it() {
    let server = Server::fresh().await;
    let bars = server.bars("bundled:IBM", "2005-01-01", "2009-12-31").await;
    let other = server.bars("bundled:IBM", "2001-01-01", "2004-12-31").await;
    let cut = bars.partition_point(|b| b.date.to_string().as_str() <= CUT);
    // The prices after the day are those of other years, which are as real.
    let scrambled: Vec<Bar> = bars
        .iter()
        .enumerate()
        .map(|(t, bar)| {
            if t < cut {
                bar.clone()
            } else {
                Bar {
                    date: bar.date,
                    ..other[t - cut].clone()
                }
            }
        })
        .collect();

    let strategies = server.json("/api/v1/strategies").await;
    let mut all: Vec<(String, Value)> = strategies
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["id"].as_str().unwrap().to_owned(), s["strategy"].clone()))
        .collect();
    assert!(all.len() >= 9);
    all.push(("curious".to_owned(), curious()));

    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (folder, bars) in folders.iter().zip([&bars, &scrambled]) {
        let folder = folder.path();
        std::fs::write(folder.join("prices.csv"), csv::ohlcv(bars)).unwrap();
        let args = [
            "data",
            "import",
            "prices.csv",
            "--symbol",
            "MINE",
            "--origin",
            "user_provided",
        ];
        let answer = call(folder, &args);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        for (id, strategy) in &all {
            std::fs::write(folder.join(format!("{id}.json")), strategy.to_string()).unwrap();
        }
    }
    let mut traded = 0;
    for (id, _) in &all {
        let file = format!("{id}.json");
        let args = [
            "backtest",
            "--symbols",
            "MINE",
            "--strategy",
            &file,
            "--cash-rate",
            "0.02",
            "--format",
            "json",
        ];
        let [a, b] = folders.each_ref().map(|f| call(f.path(), &args).json());
        assert_ne!(
            a["result_sha256"], b["result_sha256"],
            "{id}: the future is another one"
        );
        for name in [
            "dates",
            "equity",
            "drawdown",
            "exposure",
            "benchmark_equity",
            "rolling_sharpe",
        ] {
            let (a, b) = (a[name].as_array().unwrap(), b[name].as_array().unwrap());
            assert_eq!(a[..cut], b[..cut], "{id}: {name}");
        }
        // What was filled and closed by that day, and what was earned in each month before.
        let until = |v: &Value, list: &str, day: &str| -> Vec<Value> {
            let items = v[list].as_array().unwrap().iter();
            items
                .filter(|x| x[day].as_str().is_some_and(|d| d <= CUT))
                .cloned()
                .collect()
        };
        for (list, day) in [("fills", "date"), ("trades", "exit")] {
            assert_eq!(until(&a, list, day), until(&b, list, day), "{id}: {list}");
        }
        traded += until(&a, "fills", "date").len();
        let months = |v: &Value| -> Vec<Value> {
            let items = v["monthly"].as_array().unwrap().iter();
            let before =
                |m: &&Value| (m["year"].as_i64(), m["month"].as_i64()) <= (Some(2008), Some(6));
            items.filter(before).cloned().collect()
        };
        assert_eq!(months(&a), months(&b), "{id}: months");
    }
    assert!(
        traded > 100,
        "there was something to compare: {traded} fills"
    );
}

#[test]
fn the_command_line_writes_files_and_looks_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = call(
        folder,
        &[
            "backtest",
            "--symbols",
            "AAPL,MSFT",
            "--strategy",
            "trend_filter",
            "--report",
            "report.html",
            "--trades",
            "trades.csv",
            "--fills",
            "fills.parquet",
            "--equity",
            "equity.parquet",
            "--format",
            "json",
        ],
    )
    .json();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(read("report.html").starts_with(b"<!DOCTYPE html>"));
    assert!(read("trades.csv").starts_with(b"symbol,direction,entry,exit,"));
    for name in ["fills.parquet", "equity.parquet"] {
        assert!(read(name).starts_with(b"PAR1"), "{name}");
    }
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        call(folder, &["backtest", "show", id, "--format", "json"]).json(),
        made
    );
    let listed = call(folder, &["backtest", "list"]);
    assert!(listed.stdout.contains(id), "{}", listed.stdout);
    let table = call(folder, &["backtest", "show", id]);
    for word in [
        "Sharpe ratio",
        "Deepest fall",
        "all symbols held in equal parts",
        "Result SHA-256",
    ] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    let ready = call(folder, &["backtest", "strategies", "--format", "json"]).json();
    assert!(ready.as_array().unwrap().len() >= 9);
    assert_eq!(call(folder, &["audit", "verify"]).code, 0);
}

/// A strategy whose third line lacks the comma before it.
const BROKEN: &str = "{\"name\": \"x\",\n \"long\": {\"enter\": \"close > 1\"}\n \"max_bars\": 3}";

#[test]
fn the_command_line_says_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, text) in [
        ("broken.json", BROKEN),
        (
            "unknown.json",
            r#"{"name": "x", "longg": {"enter": "close > 1"}}"#,
        ),
        (
            "function.json",
            r#"{"name": "x", "long": {"enter": "close > smaa(close, 3)"}}"#,
        ),
        ("words.json", "buy low, sell high"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let backtest = |args: &[&str]| {
        let args: Vec<&str> = ["backtest"].iter().chain(args).copied().collect();
        call(folder, &args)
    };
    for (strategy, words) in [
        (
            "broken.json",
            &["strategy", "line 3, column 2", "expected `,`"][..],
        ),
        (
            "unknown.json",
            &["line 1, column 21", "longg", "did you mean long?"],
        ),
        (
            "function.json",
            &[
                "strategy.long.enter",
                "column 9",
                "smaa",
                "did you mean sma?",
            ],
        ),
        ("words.json", &["words.json", "JSON object"]),
        (
            "sma_crosover",
            &["unknown strategy", "did you mean sma_crossover?"],
        ),
    ] {
        backtest(&["--symbols", "AAPL", "--strategy", strategy]).refused(2, words);
    }
    backtest(&["check", "broken.json"]).refused(2, &["line 3, column 2"]);
    backtest(&["--symbols", "AAPL", "--strategy", "none.json"])
        .refused(3, &["none.json", "cannot be read"]);
    backtest(&["--symbols", "APPL"]).refused(2, &["unknown symbol", "APPL", "AAPL"]);
    backtest(&[]).refused(2, &["symbols", "AAPL"]);
    backtest(&[
        "--symbols",
        "AAPL",
        "--start",
        "2012-12-20",
        "--end",
        "2012-12-31",
    ])
    .refused(3, &["AAPL has 7 bars", "at least 20"]);
    backtest(&[
        "--symbols",
        "AAPL",
        "--start",
        "2012-01-02",
        "--end",
        "2011-01-03",
    ])
    .refused(2, &["before the start"]);
    backtest(&["--symbols", "AAPL", "--set", "fast=2.5"])
        .refused(2, &["params.fast", "whole number"]);
    backtest(&["--symbols", "AAPL", "--trades", "trades.xlsx"]).refused(2, &[".csv or .parquet"]);
    backtest(&["--symbols", "AAPL", "--commission", "0.9"]).refused(2, &["costs.rate", "0.5"]);
    backtest(&["show", "b-none"]).refused(2, &["unknown backtest", "b-none"]);
    let listed = backtest(&["list", "--format", "json"]).json();
    assert_eq!(listed["items"], json!([]), "nothing half-made is kept");
}

#[tokio::test]
async fn http_says_what_is_wrong_and_where() {
    let server = Server::fresh().await;
    for (body, status, field, words) in [
        (
            json!({"symbols": ["AAPL"], "strategy": BROKEN}),
            422,
            Some("strategy"),
            "line 3, column 2",
        ),
        (
            json!({"symbols": ["APPL"]}),
            404,
            None,
            "did you mean AAPL?",
        ),
        (
            json!({"symbols": ["AAPL"], "start": "2012-12-20", "end": "2012-12-31"}),
            422,
            None,
            "AAPL has 7 bars",
        ),
        (
            json!({"symbols": ["AAPL"], "strategy": {"name": "x", "long": {"enter": "close >"}}}),
            422,
            Some("strategy.long.enter"),
            "column 8",
        ),
        (
            json!({"symbols": ["AAPL"], "strategy": "moon"}),
            404,
            None,
            "unknown strategy",
        ),
        (json!({"symbols": []}), 422, Some("symbols"), "no symbol"),
        (
            json!({"symbols": ["AAPL"], "cash": 0}),
            422,
            Some("cash"),
            "0",
        ),
        (
            json!({"symbols": ["AAPL"], "source": "tips"}),
            422,
            Some("source"),
            "tips",
        ),
    ] {
        let answer = server.post("/api/v1/backtests", &body).await;
        let (got, kind) = (answer.status().as_u16(), content_type(&answer));
        let text = answer.text().await.unwrap();
        assert_eq!(
            (got, kind.as_str()),
            (status, "application/problem+json"),
            "{body}: {text}"
        );
        no_internals(&text);
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["field"].as_str(), field, "{text}");
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{text}"
        );
    }
    let answer = server
        .post(
            "/api/v1/backtests",
            &json!({"symbols": ["AAPL"], "symbol": "AAPL"}),
        )
        .await;
    assert!(
        answer.status().is_client_error(),
        "an unknown field: {}",
        answer.status()
    );
    let missing = server.get("/api/v1/backtests/b-none").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    let cursor = server.get("/api/v1/backtests?cursor=x").await;
    assert_eq!(cursor.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.json("/api/v1/backtests").await["items"], json!([]));

    // A look at a strategy runs nothing and answers with what is wrong.
    let check = |strategy: Value| {
        let server = &server;
        async move {
            let answer = server
                .post("/api/v1/strategies/check", &json!({"strategy": strategy}))
                .await;
            assert_eq!(answer.status(), StatusCode::OK);
            answer.json::<Value>().await.unwrap()
        }
    };
    let found = check(json!(BROKEN)).await;
    assert_eq!(found["valid"], false);
    assert_eq!(
        (&found["errors"][0]["line"], &found["errors"][0]["column"]),
        (&json!(3), &json!(2))
    );
    let found = check(json!({"name": "x", "weight": "if(close > smaa(close, 3), 1, 0)"})).await;
    assert_eq!(found["errors"][0]["field"], "weight");
    assert_eq!(found["errors"][0]["column"], 12);
    assert_eq!(found["errors"][0]["suggestions"], json!(["sma"]));
    let found = check(json!({"name": "x", "weight": "if(close>1,1,0)"})).await;
    assert_eq!(found["valid"], true);
    assert_eq!(found["strategy"]["weight"], "if(close > 1, 1, 0)");
}

#[tokio::test]
async fn the_pages_work_without_script() {
    let server = Server::fresh().await;
    let page = |path: String| {
        let server = &server;
        async move {
            let answer = server.get(&path).await;
            (answer.status(), answer.text().await.unwrap())
        }
    };
    let (status, text) = page("/backtests".to_owned()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("No back test yet"));
    let (_, text) = page(
        "/backtests/new?by=json&text=%7B%22name%22%3A%20%22x%22%2C%0A%20%22long%22%3A%201%7D"
            .to_owned(),
    )
    .await;
    assert!(text.contains("line 2, column 10"), "the place of the fault");
    let (_, text) =
        page("/backtests/new?by=form&enter=close%20%3E%20smaa(close%2C%203)".to_owned()).await;
    assert!(text.contains("column 9") && text.contains("sma"));
    let (status, _) = page("/backtests/b-none".to_owned()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    // The form is sent by the browser itself and leads to the result.
    let send = |body: &'static str| {
        let request = server.request(Method::POST, "/api/pages/create_backtest");
        request
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", &server.base)
            .body(body)
            .send()
    };
    let answer = send(
        "by=form&symbols=AAPL&enter=close+%3E+sma(close%2C+50)&exit=close+%3C+sma(close%2C+50)&stop=8",
    );
    let text = answer.await.unwrap().text().await.unwrap();
    assert!(
        text.contains("Strategy of the form"),
        "{}",
        &text[..text.len().min(400)]
    );
    let listed = server.json("/api/v1/backtests").await;
    let id = listed["items"][0]["id"].as_str().unwrap();
    let (status, text) = page(format!("/backtests/{id}")).await;
    assert_eq!(status, StatusCode::OK);
    for word in [
        "Verdict",
        "Months",
        "All figures",
        "The same trades in other orders",
        "Trades in AAPL",
        "report.html",
    ] {
        assert!(text.contains(word), "{word}");
    }

    // What is wrong comes back to the form with everything that was typed.
    let answer = send("by=ready&symbols=APPL&ready=momentum&p.momentum.skip=5");
    let text = answer.await.unwrap().text().await.unwrap();
    for word in ["id you mean AAPL?", "value=\"APPL\"", "value=\"5\""] {
        assert!(text.contains(word), "{word}");
    }
}
