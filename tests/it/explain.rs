//! What a run says beside its forecasts, and what it keeps: importances, SHAP values, intervals,
//! weights, missing values, files of models.

use mltrainer_it::cli::Answer;
use mltrainer_it::{Server, cli_in, csv};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::path::Path;

/// Apple's lagged returns: 190 rows to learn from, the rest to predict.
async fn files(folder: &Path) -> (csv::Table, csv::Table) {
    let server = Server::fresh().await;
    let bars = server
        .bars("bundled:AAPL", "2011-01-01", "2012-02-29")
        .await;
    let table = csv::lagged_returns(&bars, 3);
    let (train, test) = (table.slice(0..190), table.slice(190..table.rows.len()));
    std::fs::write(folder.join("train.csv"), train.text()).unwrap();
    std::fs::write(folder.join("test.csv"), test.text()).unwrap();
    (train, test)
}

fn call(folder: &Path, args: &[&str]) -> Answer {
    cli_in(folder, &folder.join("data"), args, &[])
}

fn run(folder: &Path, model: &str, more: &[&str]) -> Answer {
    let mut args = vec!["run", model, "--format", "json", "--target", "target"];
    args.extend(["--train", "train.csv", "--test", "test.csv"]);
    args.extend(more);
    call(folder, &args)
}

fn numbers(value: &Value) -> Vec<f64> {
    let items = value.as_array().unwrap_or_else(|| panic!("{value}"));
    items.iter().map(|v| v.as_f64().unwrap()).collect()
}

#[tokio::test]
async fn forecasts_are_explained_and_have_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let (_, test) = files(folder.path()).await;
    let n = test.rows.len();
    let all = ["--explain", "permutation,shap", "--interval", "0.8"];
    let set = ["--set", "max_depth=3", "--set", "n_estimators=20"];
    let result = run(folder.path(), "xgboost", &[&all[..], &set[..]].concat()).json();
    let out = &result["outputs"];
    assert_eq!(out["feature_names"], json!(["lag_1", "lag_2", "lag_3"]));
    assert_eq!(numbers(&out["permutation_importance"]).len(), 3);
    assert_eq!(numbers(&out["permutation_importance_std"]).len(), 3);
    // In each row the values and their base add up to the forecast.
    let base = out["shap_base_value"].as_f64().unwrap();
    let said = numbers(&out["predictions"]);
    for (row, said) in out["shap_values"].as_array().unwrap().iter().zip(&said) {
        let sum: f64 = base + numbers(row).iter().sum::<f64>();
        assert!((sum - said).abs() < 1e-6, "{sum} is not {said}");
    }
    // The coverage is the share of the targets between the ends.
    let (lower, upper) = (
        numbers(&out["interval_lower"]),
        numbers(&out["interval_upper"]),
    );
    let actual = test.column("target");
    let inside = (0..n).filter(|i| lower[*i] <= actual[*i] && actual[*i] <= upper[*i]);
    let share = inside.count() as f64 / n as f64;
    let coverage = result["metrics"]["interval_coverage"].as_f64().unwrap();
    assert!((coverage - share).abs() < 1e-12);
    assert!((0.5..=1.0).contains(&coverage), "{coverage}");
    // Split conformal: the same distance at every row.
    assert!((0..n).all(|i| ((upper[i] - lower[i]) - (upper[0] - lower[0])).abs() < 1e-12));

    // Several levels are by level; CV+ keeps no rows back.
    let cv = [
        "--interval",
        "0.5,0.9",
        "--interval-method",
        "cv+",
        "--folds",
        "5",
    ];
    let result = run(folder.path(), "ridge", &cv).json();
    let ends = &result["outputs"]["interval_upper"];
    let (narrow, wide) = (numbers(&ends["0.5"]), numbers(&ends["0.9"]));
    assert!(narrow.iter().zip(&wide).all(|(n, w)| n < w));
    assert!(result["metrics"]["interval_coverage_0.9"].is_number());

    // Labels: SHAP values of a forest are by label and add up to its probabilities.
    let labelled = |table: &csv::Table| {
        let mut table = table.clone();
        for row in &mut table.rows {
            row[3] = f64::from(u8::from(row[3] > 0.0));
        }
        table.text()
    };
    let (train, test) = (
        folder.path().join("train.csv"),
        folder.path().join("test.csv"),
    );
    let (a, b) = files(folder.path()).await;
    std::fs::write(train, labelled(&a)).unwrap();
    std::fs::write(test, labelled(&b)).unwrap();
    let task = ["--task", "classification", "--explain", "shap"];
    let result = run(folder.path(), "random_forest_10", &task).json();
    let out = &result["outputs"];
    for label in ["0", "1"] {
        let base = out["shap_base_value"][label].as_f64().unwrap();
        let said = numbers(&out["probabilities"][label]);
        let rows = out["shap_values"][label].as_array().unwrap();
        for (row, said) in rows.iter().zip(&said) {
            let sum: f64 = base + numbers(row).iter().sum::<f64>();
            assert!((sum - said).abs() < 1e-9, "{sum} is not {said}");
        }
    }
    let refused = |model, more: &[&str], code, words: &[&str]| {
        run(folder.path(), model, more).refused(code, words);
    };
    refused(
        "ridge",
        &["--explain", "shap"],
        3,
        &["ridge", "SHAP", "permutation"],
    );
    refused(
        "ridge",
        &["--explain", "lime"],
        2,
        &["explain", "lime", "permutation"],
    );
    refused("ridge", &["--interval", "1.5"], 2, &["interval", "1.5"]);
    refused("ridge", &["--interval", "0.999"], 3, &["too few", "999"]);
    let labels = ["--task", "classification", "--interval", "0.9"];
    refused("random_forest_10", &labels, 3, &["labels"]);
}

#[tokio::test]
async fn explanations_are_the_same_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = files(folder.path()).await;
    let server = Server::fresh().await;
    let part = |t: &csv::Table, name: &str| Part::text(t.text()).file_name(name.to_owned());
    let form = Form::new()
        .part("train", part(&train, "train.csv"))
        .part("test", part(&test, "test.csv"))
        .text("target", "target")
        .text("explain", "permutation,shap")
        .text("interval", "0.9")
        .text("set", "max_depth=3");
    let response = server
        .request(Method::POST, "/api/v1/models/decision_tree/run")
        .multipart(form)
        .send()
        .await
        .unwrap();
    let over_http: Value = response.json().await.unwrap();
    let line = [
        "--explain",
        "permutation,shap",
        "--interval",
        "0.9",
        "--set",
        "max_depth=3",
    ];
    let on_the_line = run(folder.path(), "decision_tree", &line).json();
    for part in ["outputs", "metrics"] {
        assert_eq!(over_http[part], on_the_line[part], "{part}");
    }
    // On a data set: prices have intervals of prices.
    let body = json!({
        "dataset": "bundled:AAPL", "start": "2010-01-01", "end": "2012-12-31", "target": "price",
        "explain": ["permutation"], "interval": [0.9],
    });
    let response = server.post("/api/v1/models/ridge/run", &body).await;
    let answer: Value = response.json().await.unwrap();
    let out = &answer["outputs"];
    let (lower, upper) = (
        numbers(&out["interval_lower"]),
        numbers(&out["interval_upper"]),
    );
    let actual = numbers(&out["actual"]);
    let inside = (0..actual.len()).filter(|i| lower[*i] <= actual[*i] && actual[*i] <= upper[*i]);
    let share = inside.count() as f64 / actual.len() as f64;
    let coverage = answer["metrics"]["interval_coverage"].as_f64().unwrap();
    assert!((share - coverage).abs() < 0.02, "{share} {coverage}");
    let named = out["feature_names"].as_array().unwrap().len();
    assert_eq!(numbers(&out["permutation_importance"]).len(), named);
}

#[tokio::test]
async fn rows_have_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (train, _) = files(folder.path()).await;
    // A row of weight 2 counts as two rows, one of weight 0 as none.
    let mut weighted = train.clone();
    weighted.names.push("w".into());
    let mut repeated = train.clone();
    (repeated.rows, repeated.dates) = (Vec::new(), Vec::new());
    for (i, row) in weighted.rows.iter_mut().enumerate() {
        for _ in 0..i % 3 {
            repeated.rows.push(row.clone());
            repeated.dates.push(train.dates[i].clone());
        }
        row.push((i % 3) as f64);
    }
    let write = |table: &csv::Table| {
        std::fs::write(folder.path().join("train.csv"), table.text()).unwrap();
    };
    for model in ["ridge", "decision_tree_depth_3", "logistic_regression"] {
        let labels = model.starts_with("logistic");
        let prepare = |table: &csv::Table| {
            let mut table = table.clone();
            for row in table.rows.iter_mut().filter(|_| labels) {
                row[3] = f64::from(u8::from(row[3] > 0.0));
            }
            table
        };
        let predictions = |answer: Value| answer["outputs"]["predictions"].clone();
        write(&prepare(&weighted));
        let test = prepare(&csv::Table {
            rows: train.rows[100..].to_vec(),
            dates: vec!["2020-01-02".into(); 90],
            ..train.clone()
        });
        std::fs::write(folder.path().join("test.csv"), test.text()).unwrap();
        let with = predictions(run(folder.path(), model, &["--weights", "w"]).json());
        write(&prepare(&repeated));
        let without = predictions(run(folder.path(), model, &[]).json());
        for (a, b) in numbers(&with).iter().zip(numbers(&without)) {
            assert!((a - b).abs() < 1e-6, "{model}: {a} is not {b}");
        }
    }
    write(&weighted);
    run(folder.path(), "knn", &["--weights", "w"]).refused(3, &["knn", "weigh"]);
    run(folder.path(), "ridge", &["--weights", "x"]).refused(3, &["\"x\"", "train.csv"]);
    run(folder.path(), "ridge", &["--weights", "target"]).refused(2, &["weights", "target"]);
}

#[tokio::test]
async fn entries_that_take_missing_values_read_empty_cells() {
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = files(folder.path()).await;
    let holes = |table: &csv::Table, name: &str| {
        let mut text = format!("date,{}\n", table.names.join(","));
        for (i, (date, row)) in table.dates.iter().zip(&table.rows).enumerate() {
            let first = match i % 5 {
                0 => String::new(),
                1 => "NaN".to_owned(),
                _ => row[0].to_string(),
            };
            text.push_str(&format!(
                "{date},{first},{},{},{}\n",
                row[1], row[2], row[3]
            ));
        }
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    holes(&train, "train.csv");
    holes(&test, "test.csv");
    for model in [
        "hist_gradient_boosting",
        "xgboost",
        "lightgbm",
        "decision_tree",
        "random_forest_10",
        "extra_trees",
        "bagging_10",
    ] {
        let explain: &[&str] = if model == "extra_trees" {
            &[]
        } else {
            &["--explain", "shap"]
        };
        let result = run(folder.path(), model, explain).json();
        let said = numbers(&result["outputs"]["predictions"]);
        assert_eq!(said.len(), test.rows.len(), "{model}");
    }
    run(folder.path(), "ridge", &[]).refused(3, &["lag_1", "row 1", "train.csv"]);
    // A target must be there.
    let text = train.text().replacen(&train.rows[3][3].to_string(), "", 1);
    std::fs::write(folder.path().join("train.csv"), text).unwrap();
    run(folder.path(), "xgboost", &[]).refused(3, &["target", "row 4"]);
}

#[tokio::test]
async fn models_are_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path()).await;
    let at = |name: &str| folder.path().join(name);
    for (model, file, format) in [
        ("ridge", "ridge.json", None),
        ("random_forest_10", "forest.json", Some("native")),
        ("xgboost", "xgboost.json", Some("xgboost")),
        ("lightgbm", "lightgbm.txt", Some("lightgbm")),
    ] {
        let mut more = vec!["--save-model", file];
        if let Some(format) = format {
            more.extend(["--model-format", format]);
        }
        let fitted = run(folder.path(), model, &more).json();
        let line = ["run", model, "--load-model", file, "--test", "test.csv"];
        let line = [&line[..], &["--target", "target", "--format", "json"][..]].concat();
        let loaded = call(folder.path(), &line).json();
        let pairs = [&fitted, &loaded].map(|r| numbers(&r["outputs"]["predictions"]));
        for (a, b) in pairs[0].iter().zip(&pairs[1]) {
            // Files of other programs hold single precision.
            let tolerance = if format.is_none_or(|f| f == "native") {
                0.0
            } else {
                1e-6
            };
            assert!((a - b).abs() <= tolerance, "{model}: {a} is not {b}");
        }
        let rmse = [&fitted, &loaded].map(|r| r["metrics"]["rmse"].as_f64().unwrap());
        assert!((rmse[0] - rmse[1]).abs() < 1e-7, "{model}");
        if format.is_none() {
            assert_eq!(fitted["params"], loaded["params"]);
            let head = std::fs::read_to_string(at(file)).unwrap();
            let head: Value = serde_json::from_str(head.lines().next().unwrap()).unwrap();
            assert_eq!(head["features"], json!(["lag_1", "lag_2", "lag_3"]));
            assert_eq!(head["target"], "target");
            assert!(head["metrics"]["rmse"].is_number() && head["code_version"].is_string());
        }
    }
    // Rows without the target: forecasts alone.
    let text = std::fs::read_to_string(at("test.csv")).unwrap();
    let bare: Vec<&str> = text
        .lines()
        .map(|l| l.rsplit_once(',').unwrap().0)
        .collect();
    std::fs::write(at("new.csv"), bare.join("\n")).unwrap();
    let line = [
        "run",
        "ridge",
        "--load-model",
        "ridge.json",
        "--test",
        "new.csv",
    ];
    let new = call(
        folder.path(),
        &[&line[..], &["--format", "json"][..]].concat(),
    )
    .json();
    assert!(new["metrics"].as_object().unwrap().is_empty());
    assert!(!numbers(&new["outputs"]["predictions"]).is_empty());

    let refused = |args: &[&str], code, words: &[&str]| {
        let line = [&["run"], args, &["--test", "test.csv"]].concat();
        call(folder.path(), &line).refused(code, words);
    };
    refused(
        &["lasso", "--load-model", "ridge.json"],
        3,
        &["ridge", "lasso"],
    );
    refused(
        &["ridge", "--load-model", "test.csv"],
        3,
        &["test.csv", "model"],
    );
    refused(
        &["xgboost", "--load-model", "test.csv"],
        3,
        &["test.csv", "XGBoost"],
    );
    refused(&["ridge", "--load-model", "none.json"], 3, &["none.json"]);
    let mut bytes = std::fs::read(at("ridge.json")).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(at("damaged.json"), bytes).unwrap();
    refused(
        &["ridge", "--load-model", "damaged.json"],
        3,
        &["damaged.json", "hash"],
    );
    refused(
        &["ridge", "--load-model", "ridge.json", "--set", "alpha=2"],
        2,
        &["set", "parameters"],
    );
    let more = ["--save-model", "m.json", "--model-format", "xgboost"];
    run(folder.path(), "ridge", &more).refused(2, &["xgboost", "native"]);
}
