//! Names and shapes that programs outside the repository rely on, call by call.

use crate::small_trial;
use mltrainer_it::server::content_type;
use mltrainer_it::{Server, cli, cli_in, csv};
use mltrainer_types::data::{Bar, DatasetSummary, ImportOutcome};
use mltrainer_types::feature::FeatureSpec;
use mltrainer_types::health::Health;
use mltrainer_types::run::RunResult;
use mltrainer_types::trial::{TrialState, TrialView};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The entries of the issue, and the presets of the catalogue's list.
const ENTRIES: [&str; 18] = [
    "naive_last",
    "naive_mean",
    "buy_and_hold",
    "linear_regression",
    "ridge",
    "lasso",
    "elastic_net",
    "logistic_regression",
    "decision_tree",
    "random_forest",
    "knn",
    "kmeans",
    "sma",
    "ema",
    "rsi",
    "macd",
    "bollinger_bands",
    "atr",
];
const PRESETS: [(&str, &str); 11] = [
    ("random_forest_10", "random_forest"),
    ("random_forest_50", "random_forest"),
    ("random_forest_100", "random_forest"),
    ("knn_3", "knn"),
    ("knn_5", "knn"),
    ("knn_7", "knn"),
    ("knn_10", "knn"),
    ("kmeans_2", "kmeans"),
    ("kmeans_3", "kmeans"),
    ("kmeans_5", "kmeans"),
    ("kmeans_8", "kmeans"),
];

/// `a` and `b` agree to a relative 1e-9: both compute in doubles, in another order.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

fn numbers(value: &Value) -> Vec<Option<f64>> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(Value::as_f64)
        .collect()
}

async fn bars() -> Vec<Bar> {
    let server = Server::fresh().await;
    server
        .bars("bundled:AAPL", "2011-01-01", "2012-06-30")
        .await
}

#[tokio::test]
async fn the_catalogue_lists_every_entry_with_its_card() {
    let folder = tempfile::tempdir().unwrap();
    let listed = cli(folder.path(), &["catalogue", "--format", "json"]).json();
    let entries: BTreeMap<&str, &Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["id"].as_str().unwrap(), e))
        .collect();
    assert_eq!(
        entries.len(),
        listed.as_array().unwrap().len(),
        "ids are unique"
    );
    for id in ENTRIES {
        assert!(entries.contains_key(id), "{id} is missing");
    }
    for (preset, base) in PRESETS {
        let entry = entries
            .get(preset)
            .unwrap_or_else(|| panic!("{preset} is missing"));
        assert_eq!(entry["kind"], "preset", "{preset}");
        assert_eq!(entry["base"], base);
        assert!(!entry["fixed"].as_object().unwrap().is_empty(), "{preset}");
    }
    for (id, entry) in &entries {
        for field in ["kind", "family", "title", "source"] {
            assert!(
                entry[field].as_str().is_some_and(|s| !s.trim().is_empty()),
                "{id}: {field}"
            );
        }
        for field in ["tasks", "params", "outputs", "evidence"] {
            assert!(entry[field].is_array(), "{id}: {field}");
        }
        for field in ["tasks", "outputs", "evidence"] {
            assert!(
                !entry[field].as_array().unwrap().is_empty(),
                "{id}: {field}"
            );
        }
        let kind = entry["kind"].as_str().unwrap();
        assert!(
            ["model", "preset", "indicator", "search"].contains(&kind),
            "{id}"
        );
    }

    let server = Server::fresh().await;
    assert_eq!(server.json("/api/v1/models").await, listed, "one catalogue");
    for (id, entry) in &entries {
        assert_eq!(&&server.json(&format!("/api/v1/models/{id}")).await, entry);
    }
    let table = cli(folder.path(), &["catalogue"]);
    assert_eq!(table.code, 0);
    assert!(table.stdout.contains("Ridge") && table.stdout.contains("ridge"));
}

/// Writes a training and a test file of Apple's lagged returns.
fn supervised(folder: &Path, bars: &[Bar]) -> (csv::Table, csv::Table) {
    let table = csv::lagged_returns(bars, 3);
    let cut = table.rows.len() * 3 / 4;
    let (train, test) = (table.slice(0..cut), table.slice(cut..table.rows.len()));
    std::fs::write(folder.join("train.csv"), train.text()).unwrap();
    std::fs::write(folder.join("test.csv"), test.text()).unwrap();
    (train, test)
}

#[tokio::test]
async fn run_fits_on_one_file_and_predicts_another() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = supervised(folder.path(), &bars().await);
    let run = |args: &[&str]| {
        let mut all = vec!["run"];
        all.extend(args);
        all.extend([
            "--train",
            "train.csv",
            "--test",
            "test.csv",
            "--target",
            "target",
            "--format",
            "json",
        ]);
        cli_in(folder.path(), &folder.path().join("data"), &all, &[]).json()
    };

    // The mean of the training target, for every row of the test.
    let result: RunResult = serde_json::from_value(run(&["naive_mean"])).unwrap();
    let y = train.column("target");
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let predicted = numbers(&result.outputs["predictions"]);
    assert_eq!(predicted.len(), test.rows.len());
    assert!(predicted.iter().all(|p| close(p.unwrap(), mean)));
    // The figures are those of the predictions over the test rows.
    let actual = test.column("target");
    let n = actual.len() as f64;
    let rmse = (actual.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / n).sqrt();
    let mae = actual.iter().map(|a| (a - mean).abs()).sum::<f64>() / n;
    assert!(close(result.metrics["rmse"].unwrap(), rmse));
    assert!(close(result.metrics["mae"].unwrap(), mae));
    assert!(result.timing.fit_ms >= 0.0 && result.timing.predict_ms >= 0.0);
    assert_eq!(result.model, "naive_mean");

    // Ridge with its parameter, by the normal equations of the centred columns.
    let result = run(&["ridge", "--set", "alpha=0.01"]);
    assert_eq!(result["params"]["alpha"], 0.01);
    let want = ridge_by_hand(&train, 0.01);
    let got = numbers(&result["outputs"]["coefficients"]);
    for (g, w) in got.iter().zip(&want) {
        assert!((g.unwrap() - w).abs() < 1e-8, "{got:?} {want:?}");
    }

    // A preset carries the parameter it fixes.
    let result = run(&["knn_5"]);
    assert_eq!(result["model"], "knn_5");
    assert_eq!(result["params"]["n_neighbors"], 5);
}

/// Solves (X'X + alpha I) w = X'y for centred columns, by Gaussian elimination.
fn ridge_by_hand(train: &csv::Table, alpha: f64) -> Vec<f64> {
    let centre = |c: Vec<f64>| {
        let mean = c.iter().sum::<f64>() / c.len() as f64;
        c.into_iter().map(|x| x - mean).collect::<Vec<_>>()
    };
    let x: Vec<Vec<f64>> = (1..=3)
        .map(|k| centre(train.column(&format!("lag_{k}"))))
        .collect();
    let y = centre(train.column("target"));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut m: Vec<Vec<f64>> = (0..3)
        .map(|i| {
            let mut row: Vec<f64> = (0..3).map(|j| dot(&x[i], &x[j])).collect();
            row[i] += alpha;
            row.push(dot(&x[i], &y));
            row
        })
        .collect();
    for i in 0..3 {
        let pivot = m[i].clone();
        for (j, row) in m.iter_mut().enumerate() {
            if j != i {
                let f = row[i] / pivot[i];
                row.iter_mut().zip(&pivot).for_each(|(r, p)| *r -= f * p);
            }
        }
    }
    (0..3).map(|i| m[i][3] / m[i][i]).collect()
}

#[tokio::test]
async fn run_computes_indicators_row_by_row_and_groups() {
    let bars = bars().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("aapl.csv"), csv::ohlcv(&bars)).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["run"];
        all.extend(args);
        all.extend(["--data", "aapl.csv", "--format", "json"]);
        cli_in(folder.path(), &folder.path().join("data"), &all, &[]).json()
    };
    let closes: Vec<f64> = bars.iter().map(|b| b.close).collect();
    let sma = numbers(&run(&["sma", "--set", "period=4"])["outputs"]["sma"]);
    assert_eq!(sma.len(), closes.len(), "one value a row");
    for (t, value) in sma.iter().enumerate() {
        match value {
            None => assert!(t < 3, "null only while warming up: {t}"),
            Some(v) => assert!(close(*v, closes[t - 3..=t].iter().sum::<f64>() / 4.0)),
        }
    }
    let bands = run(&["bollinger_bands", "--set", "period=20"]);
    for name in ["upper", "middle", "lower"] {
        assert_eq!(numbers(&bands["outputs"][name]).len(), closes.len());
    }
    let groups = run(&["kmeans_3", "--set", "seed=1"]);
    let labels: BTreeSet<i64> = groups["outputs"]["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_i64().unwrap())
        .collect();
    assert_eq!(labels.len(), 3);

    // One column of the file instead of its closes.
    let opens = run(&["sma", "--column", "open", "--set", "period=4"]);
    assert_ne!(numbers(&opens["outputs"]["sma"]), sma);
}

#[tokio::test]
async fn run_is_the_same_over_http_by_json_and_by_upload() {
    let server = Server::fresh().await;
    let response = server
        .post(
            "/api/v1/models/sma/run",
            &json!({"dataset": "bundled:AAPL", "start": "2011-01-01", "end": "2011-12-31", "params": {"period": 5}}),
        )
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let by_json: RunResult = response.json().await.unwrap();
    let bars = server
        .bars("bundled:AAPL", "2011-01-01", "2011-12-31")
        .await;
    let values = numbers(&by_json.outputs["sma"]);
    assert_eq!(values.len(), bars.len());
    let mean = bars[..5].iter().map(|b| b.close).sum::<f64>() / 5.0;
    assert!(close(values[4].unwrap(), mean));
    assert!(
        !by_json.lineage.is_empty(),
        "a result leads back to its source"
    );

    let folder = tempfile::tempdir().unwrap();
    let (train, test) = supervised(folder.path(), &bars);
    let form = Form::new()
        .part("train", Part::text(train.text()).file_name("train.csv"))
        .part("test", Part::text(test.text()).file_name("test.csv"))
        .text("target", "target")
        .text("set", "alpha=0.5");
    let response = server
        .request(Method::POST, "/api/v1/models/ridge/run")
        .multipart(form)
        .send()
        .await
        .unwrap();
    let status = response.status();
    let over_http: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{over_http}");
    let on_the_line = cli_in(
        folder.path(),
        &folder.path().join("data"),
        &[
            "run",
            "ridge",
            "--train",
            "train.csv",
            "--test",
            "test.csv",
            "--target",
            "target",
            "--set",
            "alpha=0.5",
            "--format",
            "json",
        ],
        &[],
    )
    .json();
    for part in ["model", "params", "outputs", "metrics"] {
        assert_eq!(over_http[part], on_the_line[part], "{part}");
    }

    // A model on a target built from the data set's own bars.
    let response = server
        .post(
            "/api/v1/models/ridge/run",
            &json!({"dataset": "bundled:AAPL", "start": "2010-01-01", "end": "2012-12-31", "target": "log_volatility", "horizon": 5}),
        )
        .await;
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body["metrics"]["rmse"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn features_are_one_row_a_bar_and_empty_while_warming_up() {
    let bars = bars().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("aapl.csv"), csv::ohlcv(&bars)).unwrap();
    let answer = cli_in(
        folder.path(),
        &folder.path().join("data"),
        &["features", "--data", "aapl.csv", "--format", "csv"],
        &[],
    );
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let mut lines = answer.stdout.lines();
    let heading: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(heading[0], "date");
    assert!(heading.len() > 20, "about 25 features: {heading:?}");
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), bars.len(), "same rows as the input");
    for (row, bar) in rows.iter().zip(&bars) {
        assert_eq!(row.len(), heading.len());
        assert_eq!(row[0], bar.date.to_string());
    }
    let server = Server::fresh().await;
    let specs: Vec<FeatureSpec> =
        serde_json::from_value(server.json("/api/v1/features").await).unwrap();
    let specs: BTreeMap<&str, &FeatureSpec> = specs.iter().map(|s| (s.id.as_str(), s)).collect();
    for (column, name) in heading.iter().enumerate().skip(1) {
        let spec = specs
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not described"));
        // The bundled VIX begins in 2014: it is left out here, nothing is made up.
        assert!(!spec.needs.contains(&"vix".into()), "{name}");
        let first = rows.iter().position(|row| !row[column].is_empty());
        assert_eq!(first, Some(spec.warm_up as usize), "{name}: warm-up");
        assert!(
            rows[spec.warm_up as usize..]
                .iter()
                .all(|row| row[column].parse::<f64>().is_ok()),
            "{name}: a finite number after the warm-up"
        );
    }
}

#[tokio::test]
async fn data_sets_are_listed_imported_and_found_again() {
    let server = Server::fresh().await;
    let listed: Vec<DatasetSummary> =
        serde_json::from_value(server.json("/api/v1/datasets").await).unwrap();
    for symbol in ["AAPL", "FB", "GOOG", "IBM", "MSFT", "SPX", "IXIC"] {
        let set = listed.iter().find(|d| d.symbols == [symbol]).unwrap();
        assert_eq!(set.source, "bundled");
        assert!(set.first < set.last && set.rows > 100);
        assert_eq!(set.sha256.len(), 64);
    }
    let bars = server.bars("bundled:IBM", "2008-01-01", "2009-12-31").await;
    drop(server);

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(folder.path().join("mine.csv"), csv::ohlcv(&bars)).unwrap();
    let call = |args: &[&str]| cli_in(folder.path(), &data, args, &[]);
    let import = [
        "data",
        "import",
        "mine.csv",
        "--symbol",
        "MINE",
        "--origin",
        "user_provided",
        "--format",
        "json",
    ];
    let outcome: ImportOutcome = serde_json::from_value(call(&import).json()).unwrap();
    let made = outcome.dataset.unwrap();
    assert_eq!(made.rows as usize, bars.len());
    assert_eq!(
        (made.first, made.last),
        (bars[0].date, bars[bars.len() - 1].date)
    );
    // The same file again is the same data set.
    let again: ImportOutcome = serde_json::from_value(call(&import).json()).unwrap();
    assert_eq!(again.dataset.unwrap().id, made.id);
    // Without `--format json` a person reads the id.
    let table = call(&import[..import.len() - 2]);
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(table.stdout.contains(made.id.as_str()), "{}", table.stdout);

    let listed = call(&["data", "list", "--format", "json"]).json();
    for set in listed.as_array().unwrap() {
        for field in ["id", "symbols", "source", "first", "last", "rows", "sha256"] {
            assert!(!set[field].is_null(), "{field}: {set}");
        }
    }
    let mine: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["source"] == "user_provided")
        .collect();
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0]["id"], made.id.as_str());

    // A trial on it, and the audit chain tells of both.
    let trial = call(&[
        "trial",
        "run",
        "--symbols",
        "MINE",
        "--models",
        "ridge",
        "--folds",
        "2",
        "--format",
        "json",
    ])
    .json();
    assert_eq!(trial["state"], "finished");
    assert_eq!(
        trial["lineage"]["datasets"][0]["sha256"],
        made.sha256.as_str()
    );
    assert_eq!(call(&["audit", "verify"]).code, 0);
}

#[tokio::test]
async fn bad_rows_are_quarantined_and_a_bad_file_refused_with_reasons() {
    let server = Server::fresh().await;
    let bars = server.bars("bundled:IBM", "2008-01-01", "2009-12-31").await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let import = |text: String| {
        std::fs::write(folder.path().join("mine.csv"), text).unwrap();
        cli_in(
            folder.path(),
            &data,
            &[
                "data",
                "import",
                "mine.csv",
                "--symbol",
                "MINE",
                "--origin",
                "user_provided",
                "--format",
                "json",
            ],
            &[],
        )
    };
    // One row with high below low is set aside, the others are used.
    let mut one_bad = bars.clone();
    let row = &mut one_bad[100];
    std::mem::swap(&mut row.high, &mut row.low);
    let outcome: ImportOutcome =
        serde_json::from_value(import(csv::ohlcv(&one_bad)).json()).unwrap();
    assert_eq!(outcome.quality.quarantined, 1);
    assert_eq!(outcome.dataset.unwrap().rows as usize, bars.len() - 1);
    let finding = outcome
        .quality
        .findings
        .iter()
        .find(|f| f.row == Some(101))
        .unwrap();
    assert_eq!(finding.date, Some(bars[100].date));

    // Every price negative: nothing is left, and the call ends with 3.
    let mut all_bad = bars.clone();
    for b in &mut all_bad {
        b.close = -b.close;
    }
    let refused = import(csv::ohlcv(&all_bad));
    assert_eq!(refused.code, 3, "{}{}", refused.stdout, refused.stderr);

    // An origin that no rule approves.
    std::fs::write(folder.path().join("mine.csv"), csv::ohlcv(&bars)).unwrap();
    let refused = cli_in(
        folder.path(),
        &data,
        &[
            "data", "import", "mine.csv", "--symbol", "MINE", "--origin", "a_friend",
        ],
        &[],
    );
    assert!(matches!(refused.code, 2 | 3), "{}", refused.code);
    assert!(refused.stderr.contains("a_friend"), "{}", refused.stderr);
    let listed = cli(&data, &["data", "list", "--format", "json"]).json();
    assert_eq!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["source"] != "bundled")
            .count(),
        1,
        "the refused files left nothing behind"
    );
}

#[test]
fn trial_run_prints_the_trial_and_draws_progress_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let answer = cli(
        folder.path(),
        &[
            "trial",
            "run",
            "--symbols",
            "AAPL",
            "--models",
            "ridge,knn_5",
            "--target",
            "log_volatility",
            "--horizon",
            "5",
            "--start",
            "2010-01-01",
            "--end",
            "2012-12-31",
            "--folds",
            "2",
            "--seed",
            "7",
            "--format",
            "json",
        ],
    );
    let raw = answer.json();
    for field in [
        "id",
        "state",
        "spec",
        "progress",
        "leaderboard",
        "verdict",
        "lineage",
        "result_sha256",
    ] {
        assert!(!raw[field].is_null(), "{field}");
    }
    let row = &raw["leaderboard"][0];
    for field in [
        "model",
        "params",
        "horizon",
        "metrics",
        "baseline",
        "beats_baseline",
        "p_value",
    ] {
        assert!(row.get(field).is_some(), "{field}");
    }
    let trial: TrialView = serde_json::from_value(raw).unwrap();
    assert_eq!(trial.state, TrialState::Finished);
    assert_eq!(trial.spec.seed, 7);

    // For a person: a table and the verdict.
    let table = cli(
        folder.path(),
        &[
            "trial",
            "run",
            "--symbols",
            "AAPL",
            "--models",
            "ridge",
            "--start",
            "2011-01-01",
            "--end",
            "2012-12-31",
            "--folds",
            "2",
        ],
    );
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(table.stdout.contains("ridge"), "{}", table.stdout);
    let verified = cli(folder.path(), &["audit", "verify"]);
    assert_eq!(verified.code, 0);
    assert!(
        verified.stdout.chars().any(|c| c.is_ascii_digit()),
        "{}",
        verified.stdout
    );
}

#[tokio::test]
async fn health_policy_quality_and_charts_answer() {
    let server = Server::fresh().await;
    // The bundled data are installed with the first use, or a moment after the start.
    server.json("/api/v1/datasets").await;
    let health: Health = serde_json::from_value(server.json("/api/health").await).unwrap();
    assert_eq!(health.status, "ok");
    assert!(health.ready, "{:?}", health.checks);
    assert!(health.models >= 18 && health.datasets >= 44);

    let policy = server.json("/api/compliance/policy").await;
    assert_eq!(policy["rules"].as_array().unwrap().len(), 12);
    assert_eq!(policy["origins"].as_array().unwrap().len(), 13);

    let quality = server.json("/api/data-quality").await;
    assert!(quality.as_array().unwrap().len() >= 44);

    let detail = server.json("/api/v1/datasets/bundled:AAPL").await;
    assert!(!detail["lineage"].as_array().unwrap().is_empty());

    let chart = server.get("/api/v1/datasets/bundled:AAPL/chart.svg").await;
    assert_eq!(chart.status(), StatusCode::OK);
    assert_eq!(content_type(&chart), "image/svg+xml");
    let svg = chart.text().await.unwrap();
    assert!(svg.contains("<svg") && svg.contains("</svg>"));

    // A forecast of returns is also traded, so it has an equity curve; one of volatility has none.
    let mut body = small_trial();
    body["target"] = json!("return");
    let id = server.create_trial(&body).await;
    server.finished(&id).await;
    for kind in ["price", "error", "equity"] {
        let chart = server
            .get(&format!("/api/v1/trials/{id}/charts/{kind}.svg"))
            .await;
        assert_eq!(content_type(&chart), "image/svg+xml", "{kind}");
        assert_eq!(chart.status(), StatusCode::OK, "{kind}");
    }
    let predictions = server
        .json(&format!("/api/v1/trials/{id}/predictions"))
        .await;
    assert!(!predictions.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_openapi_document_names_every_route_and_each_answers() {
    let server = Server::fresh().await;
    let document = server.json("/api/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    for (path, method) in [
        ("/api/health", "get"),
        ("/api/v1/models", "get"),
        ("/api/v1/models/{id}", "get"),
        ("/api/v1/models/{id}/run", "post"),
        ("/api/v1/trials", "get"),
        ("/api/v1/trials", "post"),
        ("/api/v1/trials/{id}", "get"),
        ("/api/v1/trials/{id}/events", "get"),
        ("/api/v1/trials/{id}/cancel", "post"),
        ("/api/v1/trials/{id}/pause", "post"),
        ("/api/v1/trials/{id}/resume", "post"),
        ("/api/compliance/audit", "get"),
        ("/api/data-quality", "get"),
    ] {
        assert!(
            paths.get(path).and_then(|p| p.get(method)).is_some(),
            "{method} {path} is not documented"
        );
    }
    // Whatever the document names exists: a route that is not there has no problem document of
    // ours, or says so.
    for (path, methods) in paths {
        if methods.get("get").is_none() {
            continue;
        }
        let concrete = path.replace("{id}", "none").replace("{kind}", "price.svg");
        let answer = server.get(&concrete).await;
        let status = answer.status();
        if path.contains('{') {
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            let problem: Value = answer.json().await.unwrap();
            assert!(
                problem["type"]
                    .as_str()
                    .unwrap()
                    .starts_with("/problems/unknown-"),
                "{path}: {problem}"
            );
        } else if path == "/api/v1/portfolio/risk" {
            // A new folder holds nothing, and no weights are given: there is nothing to judge.
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["field"], "weights");
        } else if path == "/api/v1/learning/proposals" {
            // A symbol is needed.
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["field"], "symbols");
        } else if path == "/api/v1/memory" {
            // Words to search for are needed.
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            let found = server.json("/api/v1/memory?q=momentum").await;
            assert_eq!(found, json!([]));
        } else {
            assert_eq!(status, StatusCode::OK, "{path}");
        }
    }
    let page = server.get("/api/docs").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(content_type(&page), "text/html");
}

#[tokio::test]
async fn every_page_is_served_whole_without_script() {
    let server = Server::fresh().await;
    let id = server.create_trial(&small_trial()).await;
    server.finished(&id).await;
    let trial = format!("/trials/{id}");
    for (path, words) in [
        ("/", "mlTrainer"),
        ("/models", "ridge"),
        ("/models/ridge", "alpha"),
        ("/analytics", "Laid over the prices"),
        ("/trials", id.as_str()),
        ("/trials/new", "<form"),
        (trial.as_str(), "ridge"),
        ("/data", "AAPL"),
        ("/compliance", "synthetic"),
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert_eq!(content_type(&page), "text/html", "{path}");
        let html = page.text().await.unwrap();
        assert!(html.contains(words), "{path}: `{words}` is not in the page");
        assert!(
            html.contains("<html lang=\"en\""),
            "{path}: the page names its language"
        );
        assert!(
            html.contains("<title>") && html.contains("viewport"),
            "{path}"
        );
        assert!(html.contains("<main"), "{path}: a main landmark");
    }
    let none = server.get("/no/such/page").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    assert_eq!(content_type(&none), "text/html");
    for path in ["/models/no_such_model", "/trials/t-none"] {
        assert_eq!(
            server.get(path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
