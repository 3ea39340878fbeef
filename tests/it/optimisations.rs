//! Walk-forward optimisations on the command line: the same result after `kill -9`, what is counted,
//! and what is refused.

use mltrainer_it::{binary, cli};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const SEARCH: [&str; 20] = [
    "backtest",
    "optimise",
    "--symbols",
    "AAPL",
    "--start",
    "2005-01-01",
    "--end",
    "2012-12-31",
    "--strategy",
    "sma_crossover",
    "--search",
    "fast=2..50",
    "--search",
    "slow=20..250:log",
    "--evaluations",
    "60",
    "--folds",
    "4",
    "--embargo",
    "5",
];

/// Begins the search, kills it once a line begins with these words, and gives its id.
fn killed_at(folder: &Path, line_begins: &str) -> String {
    let mut child = Command::new(binary())
        .arg("--data-dir")
        .arg(folder)
        .args(SEARCH)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut id = String::new();
    for line in lines {
        let line = line.unwrap();
        if let Some(rest) = line.strip_prefix("Optimisation ")
            && id.is_empty()
        {
            id = rest.split(':').next().unwrap().to_owned();
        }
        if line.starts_with(line_begins) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(id.starts_with("o-"), "{id}");
    id
}

#[test]
fn an_optimisation_survives_kill_9_and_counts_what_it_tried() {
    let whole = tempfile::tempdir().unwrap();
    let args = [&SEARCH[..], &["--format", "json"]].concat();
    let want = cli(whole.path(), &args).json();
    assert_eq!(want["state"], "finished");
    let windows = want["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 4);
    for pair in windows.windows(2) {
        // Days as texts sort like days: tests follow one another, training ends before its test.
        let day = |w: &Value, name: &str| w[name].as_str().unwrap().to_owned();
        assert!(day(&pair[0], "test_last") < day(&pair[1], "test_first"));
        assert!(day(&pair[1], "train_last") < day(&pair[1], "test_first"));
        assert_eq!(day(&pair[0], "train_first"), day(&pair[1], "train_first"));
    }
    let result = &want["result"];
    let (dates, equity) = (&result["dates"], &result["equity"]);
    assert_eq!(
        dates.as_array().unwrap().len(),
        equity.as_array().unwrap().len()
    );
    assert_eq!(equity[0], 10_000.0);
    let tried = result["tried_here"].as_u64().unwrap();
    assert!((60..=240).contains(&tried), "{tried}");
    assert_eq!(result["tried"], tried);

    for moment in ["Optimisation ", "window 1 of", "window 3 of"] {
        let folder = tempfile::tempdir().unwrap();
        let id = killed_at(folder.path(), moment);
        let resume = ["backtest", "optimise", "--resume", &id, "--format", "json"];
        let found = cli(folder.path(), &resume).json();
        assert_eq!(found["windows"], want["windows"], "killed at {moment}");
        assert_eq!(found["result"], want["result"], "killed at {moment}");
        cli(folder.path(), &resume).refused(1, &["has ended"]);
        let verified = cli(folder.path(), &["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    }

    // A later back test on the symbol knows how much was searched before it.
    let test = ["backtest", "--symbols", "AAPL", "--format", "json"];
    let later = cli(whole.path(), &test).json();
    assert_eq!(later["verdict"]["tried"], json!(tried + 1));
}

#[test]
fn what_cannot_be_searched_is_refused_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let call = |more: &[&str]| {
        let head = ["backtest", "optimise", "--symbols", "AAPL"];
        cli(folder.path(), &[&head[..], more].concat())
    };
    call(&[]).refused(2, &["search", "give 1 to"]);
    call(&["--search", "fast=2.5..5.5"]).refused(2, &["params.fast", "whole number"]);
    call(&["--search", "fsat=2..5"]).refused(2, &["fsat", "did you mean fast"]);
    call(&["--search", "fast=2..5", "--method", "magic"]).refused(2, &["method", "grid"]);
    call(&["--search", "fast=2..50", "--folds", "2000"]).refused(2, &["folds", "1 to 100"]);
    call(&[
        "--search",
        "fast=2..500",
        "--search",
        "slow=2..500",
        "--method",
        "grid",
        "--setting",
        "levels=50",
    ])
    .refused(2, &["evaluations", "2500"]);
    cli(folder.path(), &["backtest", "optimise", "--resume", "o-0"])
        .refused(2, &["unknown optimisation"]);
}
