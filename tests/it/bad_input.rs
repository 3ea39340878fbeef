//! Bad input, on the command line and over HTTP: each with its code and one clear sentence, nothing
//! half-written, and no word of the inside.

use crate::small_trial;
use mltrainer_it::cli::no_internals;
use mltrainer_it::server::content_type;
use mltrainer_it::sqlite::{Lock, database, python};
use mltrainer_it::{Answer, Launch, Server, cli, cli_in, csv};
use mltrainer_types::problem::Problem;
use mltrainer_types::trial::TrialState;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// A folder for files, with the data folder `data` in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn call(&self, args: &[&str]) -> Answer {
        cli_in(self.0.path(), &self.0.path().join("data"), args, &[])
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }
}

/// A problem document with this status, holding these words and nothing of the inside.
pub(crate) async fn problem(response: Response, status: StatusCode, words: &[&str]) -> Problem {
    let (got, kind) = (response.status(), content_type(&response));
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    assert_eq!(kind, "application/problem+json", "{text}");
    no_internals(&text);
    let temp = std::env::temp_dir().display().to_string();
    assert!(!text.contains(&temp), "a path of this machine: {text}");
    let problem: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(problem.status, status.as_u16());
    assert!(problem.kind.starts_with("/problems/"), "{text}");
    assert!(problem.request_id.is_some(), "{text}");
    for word in words {
        assert!(
            problem.detail.contains(word),
            "`{word}` is missing in: {}",
            problem.detail
        );
    }
    problem
}

#[tokio::test]
async fn an_unknown_model_is_named_with_its_neighbours() {
    let desk = Desk::new();
    desk.write("d.csv", "date,close\n2011-01-03,1.0\n");
    desk.call(&["run", "rigde", "--data", "d.csv"])
        .refused(2, &["unknown model", "rigde", "ridge"]);
    desk.call(&[
        "trial",
        "run",
        "--symbols",
        "AAPL",
        "--models",
        "random_forrest_50",
    ])
    .refused(2, &["unknown model", "random_forest_50"]);

    let server = Server::fresh().await;
    let answer = server.get("/api/v1/models/rigde").await;
    let it = problem(answer, StatusCode::NOT_FOUND, &["unknown model", "rigde"]).await;
    assert!(it.suggestions.contains(&"ridge".into()), "{it:?}");
    let answer = server
        .post(
            "/api/v1/models/rigde/run",
            &json!({"dataset": "bundled:AAPL"}),
        )
        .await;
    problem(answer, StatusCode::NOT_FOUND, &["unknown model"]).await;
    let mut body = small_trial();
    body["models"] = json!(["rigde"]);
    let answer = server.post("/api/v1/trials", &body).await;
    let it = problem(answer, StatusCode::NOT_FOUND, &["unknown model"]).await;
    assert!(it.suggestions.contains(&"ridge".into()), "{it:?}");
}

#[tokio::test]
async fn an_unknown_symbol_or_data_set_is_named_with_its_neighbours() {
    let desk = Desk::new();
    desk.call(&["trial", "run", "--symbols", "APPL", "--models", "ridge"])
        .refused(2, &["unknown symbol", "APPL", "AAPL"]);
    let server = Server::fresh().await;
    let mut body = small_trial();
    body["symbols"] = json!(["APPL"]);
    let answer = server.post("/api/v1/trials", &body).await;
    let it = problem(answer, StatusCode::NOT_FOUND, &["unknown symbol", "APPL"]).await;
    assert!(it.suggestions.contains(&"AAPL".into()), "{it:?}");
    let answer = server.get("/api/v1/datasets/bundled:APPL").await;
    let it = problem(answer, StatusCode::NOT_FOUND, &["unknown data set"]).await;
    assert!(it.suggestions.contains(&"bundled:AAPL".into()), "{it:?}");
    body["symbols"] = json!(["AAPL"]);
    body["source"] = json!("polygn");
    let answer = server.post("/api/v1/trials", &body).await;
    assert!(answer.status().is_client_error());
    let listed = server.json("/api/v1/trials").await;
    assert_eq!(listed["items"], json!([]), "nothing was made");
}

#[tokio::test]
async fn a_malformed_file_is_refused_with_column_and_row() {
    let server = Server::fresh().await;
    let bars = server
        .bars("bundled:AAPL", "2011-01-01", "2011-03-31")
        .await;
    let good = csv::ohlcv(&bars);
    let line = |n: usize, with: &str| -> String {
        let mut lines: Vec<&str> = good.lines().collect();
        lines[n] = with;
        lines.join("\n")
    };
    let first_dates: Vec<String> = bars.iter().map(|b| b.date.to_string()).collect();
    let text_cell = line(5, &format!("{},1,2,1,abc,100", first_dates[4]));
    let empty_cell = line(5, &format!("{},1,2,1,,100", first_dates[4]));
    let short_row = line(7, &format!("{},1,2", first_dates[6]));
    let heading = "date,open,high,low,close,volume\n".to_owned();
    // The file as a whole cannot be read, by no way in.
    let files: [(&str, String, &[&str]); 4] = [
        ("empty", String::new(), &["empty"]),
        ("heading only", heading, &["row"]),
        ("no date", good.replace("date,", "when,"), &["when"]),
        ("open quote", good.replacen("date", "\"date", 1), &["quote"]),
    ];
    // One row is wrong: a run refuses to guess, an import sets the row aside and says so.
    let infinite = good.replacen(&format!(",{},", bars[9].close), ",inf,", 1);
    let rows: [(&str, String, &[&str]); 4] = [
        ("short row", short_row, &["row 7"]),
        ("text in a price", text_cell, &["close", "row 5", "abc"]),
        ("empty price", empty_cell, &["close", "row 5"]),
        ("a price that is infinite", infinite, &["row 10"]),
    ];
    let desk = Desk::new();
    for (name, text, words) in files.iter().chain(&rows) {
        desk.write("f.csv", text);
        let answer = desk.call(&["run", "sma", "--data", "f.csv"]);
        assert_eq!(answer.code, 3, "{name}: {}{}", answer.stdout, answer.stderr);
        answer.refused(3, words);
        let upload = reqwest::multipart::Form::new().part(
            "data",
            reqwest::multipart::Part::text(text.clone()).file_name("f.csv"),
        );
        let answer = server
            .request(Method::POST, "/api/v1/models/sma/run")
            .multipart(upload)
            .send()
            .await
            .unwrap();
        problem(answer, StatusCode::UNPROCESSABLE_ENTITY, words).await;
    }
    let import = |symbol: &str| {
        let origin = ["--origin", "user_provided"];
        desk.call(
            &[
                &["data", "import", "f.csv", "--symbol", symbol],
                &origin[..],
            ]
            .concat(),
        )
    };
    // An import tells the only column of dates by its cells, whatever its name.
    let (named, other): (Vec<_>, Vec<_>) = files.iter().partition(|f| f.0 == "no date");
    for (_, text, words) in other {
        desk.write("f.csv", text);
        import("BAD").refused(3, words);
    }
    assert_eq!(files_of_users(&desk), 0, "a refused file leaves nothing");
    for (name, text, _) in named {
        desk.write("f.csv", text);
        assert_eq!(import("GOOD").code, 0, "{name}");
    }
    // A run counts rows and needs no dates; bars need each.
    let no_such_day = good.replacen(&first_dates[2], "2011-02-31", 1);
    let day: [(&str, String, &[&str]); 1] = [("no such day", no_such_day, &["row 3"])];
    for (name, text, words) in rows.iter().chain(&day) {
        desk.write("f.csv", text);
        let answer = import("GOOD");
        assert_eq!(answer.code, 0, "{name}: {}", answer.stderr);
        let row = words.iter().find(|w| w.starts_with("row")).unwrap();
        assert!(answer.stdout.contains(*row), "{name}: {}", answer.stdout);
        assert!(
            answer.stdout.contains("1 set aside"),
            "{name}: {}",
            answer.stdout
        );
    }

    desk.write("f.csv", b"date,close\n2011-01-03,\xff\xfe\n");
    desk.call(&["run", "sma", "--data", "f.csv"])
        .refused(3, &["UTF-8"]);
    desk.call(&["run", "sma", "--data", "none.csv"])
        .refused(3, &["none.csv"]);
}

/// Parquet files below the data folder, and whatever else lies there but database, key and locks.
fn files_of_users(desk: &Desk) -> usize {
    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|entry| match entry.file_type().unwrap().is_dir() {
                true if entry.file_name() == "owners" => 0,
                true => count(&entry.path()),
                false => {
                    let name = entry.file_name().into_string().unwrap();
                    usize::from(!name.starts_with("mltrainer.db") && name != "audit.key")
                }
            })
            .sum()
    }
    count(&desk.data())
}

#[tokio::test]
async fn a_span_without_data_and_too_few_rows_are_refused() {
    let desk = Desk::new();
    let trial = |start: &'static str, end: &'static str| {
        desk.call(&[
            "trial",
            "run",
            "--symbols",
            "AAPL",
            "--models",
            "ridge",
            "--start",
            start,
            "--end",
            end,
        ])
    };
    // The span ends before the first bar, and the sentence says which span there is.
    trial("1980-01-01", "1985-12-31").refused(3, &["AAPL", "2000-03-01", "2013-03-01"]);
    trial("2012-12-31", "2012-01-01").refused(2, &["start"]);
    trial("2012-12-01", "2012-12-10").refused(3, &["20"]);

    let server = Server::fresh().await;
    let send = async |start: &str, end: &str| {
        let mut body = small_trial();
        body["start"] = json!(start);
        body["end"] = json!(end);
        server.post("/api/v1/trials", &body).await
    };
    let refused = send("1980-01-01", "1985-12-31").await;
    problem(
        refused,
        StatusCode::UNPROCESSABLE_ENTITY,
        &["AAPL", "2000-03-01"],
    )
    .await;
    let refused = send("2012-12-31", "2012-01-01").await;
    problem(refused, StatusCode::UNPROCESSABLE_ENTITY, &["start"]).await;
    let refused = send("2012-12-01", "2012-12-10").await;
    problem(refused, StatusCode::UNPROCESSABLE_ENTITY, &["20"]).await;

    // The same for a file of the user's own.
    let bars = server
        .bars("bundled:AAPL", "2011-01-01", "2011-01-20")
        .await;
    assert!(bars.len() < 20);
    desk.write("few.csv", csv::ohlcv(&bars));
    let answer = desk.call(&[
        "data",
        "import",
        "few.csv",
        "--symbol",
        "FEW",
        "--origin",
        "user_provided",
    ]);
    assert_eq!(answer.code, 3);
    assert!(answer.stderr.contains("20"), "{}", answer.stderr);
}

#[tokio::test]
async fn a_target_that_leaks_is_refused() {
    let server = Server::fresh().await;
    let bars = server
        .bars("bundled:AAPL", "2010-01-01", "2012-12-31")
        .await;
    // The return of the day, predicted from the return of the day.
    let mut table = csv::lagged_returns(&bars, 2);
    table.names.insert(2, "same_day".into());
    for row in &mut table.rows {
        row.insert(2, row[2]);
    }
    let cut = table.rows.len() / 2;
    let desk = Desk::new();
    desk.write("train.csv", table.slice(0..cut).text());
    desk.write("test.csv", table.slice(cut..table.rows.len()).text());
    let answer = desk.call(&[
        "run",
        "ridge",
        "--train",
        "train.csv",
        "--test",
        "test.csv",
        "--target",
        "target",
    ]);
    answer.refused(3, &["same_day", "target"]);
}

#[tokio::test]
async fn a_parameter_out_of_range_is_refused_with_field_value_and_range() {
    let server = Server::fresh().await;
    let desk = Desk::new();
    let bars = server
        .bars("bundled:AAPL", "2011-01-01", "2011-06-30")
        .await;
    desk.write("a.csv", csv::ohlcv(&bars));
    let table = csv::lagged_returns(&bars, 2);
    desk.write("t.csv", table.slice(0..80).text());
    desk.write("v.csv", table.slice(80..table.rows.len()).text());
    desk.call(&["run", "sma", "--data", "a.csv", "--set", "period=0"])
        .refused(2, &["period", "0", "1"]);
    let fit = |set: &'static str| {
        desk.call(&[
            "run", "ridge", "--train", "t.csv", "--test", "v.csv", "--target", "target", "--set",
            set,
        ])
    };
    fit("alpha=-1").refused(2, &["alpha", "-1", "0"]);
    fit("alpha=nan").refused(2, &["alpha"]);
    fit("alpha=much").refused(2, &["alpha", "much"]);
    fit("alpah=1").refused(2, &["alpah", "alpha"]);
    fit("alpha").refused(2, &["alpha"]);
    desk.call(&[
        "run", "ridge", "--train", "t.csv", "--test", "v.csv", "--target", "targt",
    ])
    .refused(3, &["targt", "target"]);
    desk.call(&["run", "ridge", "--train", "t.csv"])
        .refused(2, &["--test"]);

    let answer = server
        .post(
            "/api/v1/models/sma/run",
            &json!({"dataset": "bundled:AAPL", "params": {"period": 0}}),
        )
        .await;
    let it = problem(answer, StatusCode::UNPROCESSABLE_ENTITY, &["period", "0"]).await;
    assert!(it.field.unwrap().contains("period"));

    for (field, value, words) in [
        ("horizons", json!([0]), vec!["horizon", "0", "250"]),
        ("horizons", json!([251]), vec!["horizon", "251", "250"]),
        (
            "validation",
            json!({"kind": "walk_forward", "folds": 0}),
            vec!["folds", "0", "50"],
        ),
        (
            "validation",
            json!({"kind": "walk_forward", "folds": 51}),
            vec!["folds", "51", "50"],
        ),
        (
            "validation",
            json!({"kind": "hold_out", "test_share": 0.9}),
            vec!["test_share", "0.9", "0.5"],
        ),
        ("costs", json!({"bps": -1.0}), vec!["bps", "-1", "1000"]),
        ("symbols", json!([]), vec!["symbols"]),
        (
            "models",
            json!([{"model": "ridge", "params": {"alpha": -1.0}}]),
            vec!["alpha", "-1"],
        ),
        (
            "models",
            json!([{"model": "ridge", "params": {"alpah": 1.0}}]),
            vec!["alpah"],
        ),
        ("features", json!(["pirce"]), vec!["pirce", "price"]),
        ("models", json!(["kmeans"]), vec!["kmeans"]),
    ] {
        let mut body = small_trial();
        body[field] = value.clone();
        let answer = server.post("/api/v1/trials", &body).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(
            status == StatusCode::UNPROCESSABLE_ENTITY || status == StatusCode::NOT_FOUND,
            "{field} {value}: {status} {text}"
        );
        no_internals(&text);
        for word in words {
            assert!(text.contains(word), "{field} {value}: `{word}` in {text}");
        }
    }
    assert_eq!(
        server.json("/api/v1/trials").await["items"],
        json!([]),
        "nothing was made"
    );
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_by_its_status() {
    let server = Server::fresh().await;
    let send = |kind: &'static str, body: Vec<u8>| {
        server
            .request(Method::POST, "/api/v1/trials")
            .header("content-type", kind)
            .body(body)
            .send()
    };
    let answer = send("application/json", b"{\"symbols\": [".to_vec())
        .await
        .unwrap();
    problem(answer, StatusCode::BAD_REQUEST, &["JSON"]).await;
    for (body, words) in [
        ("{}", vec!["symbols"]),
        ("[]", vec![]),
        ("{\"symbols\": \"AAPL\"}", vec!["symbols"]),
        ("{\"symbols\": [\"AAPL\"], \"sede\": 1}", vec!["sede"]),
        (
            "{\"symbols\": [\"AAPL\"], \"target\": \"profit\"}",
            vec!["profit"],
        ),
        (
            "{\"symbols\": [\"AAPL\"], \"start\": \"last year\"}",
            vec!["start"],
        ),
        ("{\"symbols\": [\"AAPL\"], \"seed\": -1}", vec!["seed"]),
    ] {
        let answer = send("application/json", body.as_bytes().to_vec())
            .await
            .unwrap();
        problem(answer, StatusCode::UNPROCESSABLE_ENTITY, &words).await;
    }
    let answer = send("text/plain", b"symbols=AAPL".to_vec()).await.unwrap();
    problem(
        answer,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        &["application/json"],
    )
    .await;

    // Deeper than any request of ours, and longer than any.
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let answer = send("application/json", deep).await.unwrap();
    assert_eq!(answer.status().as_u16() / 100, 4);
    let large = vec![b' '; 64 << 20];
    // A server that answers before it has read everything may close the line on the sender.
    if let Ok(answer) = send("application/json", large).await {
        problem(answer, StatusCode::PAYLOAD_TOO_LARGE, &[]).await;
    }
    assert_eq!(server.get("/api/health").await.status(), StatusCode::OK);

    let answer = server
        .request(Method::POST, "/api/v1/models/sma/run")
        .body("")
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_client_error());
    no_internals(&answer.text().await.unwrap());
    for path in [
        "/api/v1/trials?cursor=nonsense",
        "/api/v1/datasets/bundled:AAPL/bars?start=soon",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status().as_u16() / 100, 4, "{path}");
        assert_eq!(content_type(&answer), "application/problem+json", "{path}");
        no_internals(&answer.text().await.unwrap());
    }
}

#[tokio::test]
async fn a_locked_database_gives_a_clear_error_and_nothing_half_written() {
    let server = Server::fresh().await;
    let before = python(
        &database(&server.data_dir),
        "print(json.dumps(db.execute(f'select count(*) from {chain()}').fetchone()[0]))",
    );
    let lock = Lock::take(&database(&server.data_dir));
    let answer = server
        .request(Method::POST, "/api/v1/trials")
        .header("Idempotency-Key", "k")
        .json(&small_trial())
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    problem(
        answer,
        StatusCode::SERVICE_UNAVAILABLE,
        &["database", "again"],
    )
    .await;
    // Reading goes on meanwhile.
    assert_eq!(server.get("/trials").await.status(), StatusCode::OK);
    let on_the_line = cli(
        &server.data_dir,
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
        ],
    );
    assert_ne!(on_the_line.code, 0);
    assert!(
        on_the_line.stderr.contains("database"),
        "{}",
        on_the_line.stderr
    );
    no_internals(&on_the_line.stderr);
    drop(lock);

    assert_eq!(server.json("/api/v1/trials").await["items"], json!([]));
    let after = python(
        &database(&server.data_dir),
        "print(json.dumps(db.execute(f'select count(*) from {chain()}').fetchone()[0]))",
    );
    assert_eq!(before, after);
    // The key was not used up by the attempt that failed.
    let answer = server
        .request(Method::POST, "/api/v1/trials")
        .header("Idempotency-Key", "k")
        .json(&small_trial())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let made: Value = answer.json().await.unwrap();
    let trial = server.finished(made["id"].as_str().unwrap()).await;
    assert_eq!(trial.state, TrialState::Finished);
}

#[tokio::test]
async fn a_running_trial_waits_for_a_locked_database_and_goes_on() {
    let want = {
        let server = Server::fresh().await;
        let id = server.create_trial(&crate::long_trial()).await;
        server.finished(&id).await.result_sha256
    };
    let server = Server::fresh().await;
    let id = server.create_trial(&crate::long_trial()).await;
    let mut events = server.events(&id, 0).await;
    events.until(|e| e.name == "step").await;
    let lock = Lock::take(&database(&server.data_dir));
    // Long enough for a write to fail: until a write of ours has failed.
    let refused = server.post("/api/v1/trials", &small_trial()).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(lock);
    let _ = events.rest().await;
    let trial = server.trial(&id).await;
    assert_eq!(trial.state, TrialState::Finished, "{:?}", trial.reason);
    assert_eq!(trial.result_sha256, want);
}

/// Makes trials until one does not fit, and gives how many did.
async fn until_refused(server: &Server) -> usize {
    for made in 0..400 {
        // Short to run, as long to store as a request may be.
        let answer = server
            .post(
                "/api/v1/trials",
                &json!({
                    "symbols": ["AAPL"], "start": "2011-06-01", "end": "2012-12-31",
                    "models": ["ridge"], "validation": {"kind": "hold_out"}, "seed": made,
                    "goal": "x".repeat(2000)
                }),
            )
            .await;
        if answer.status() != StatusCode::CREATED {
            problem(answer, StatusCode::SERVICE_UNAVAILABLE, &["disk"]).await;
            return made;
        }
    }
    panic!("the disk did not become full");
}

/// It goes on reading, and what it holds is whole.
async fn reads_on(server: &Server) {
    assert_eq!(server.get("/trials").await.status(), StatusCode::OK);
    let verified = server.json("/api/compliance/audit/verify").await;
    assert_eq!(verified["ok"], true, "{verified}");
}

#[tokio::test]
async fn a_file_that_may_not_grow_gives_a_clear_error_and_a_chain_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    // The database exists before the limit: so that it is the trial that does not fit.
    Launch::on(folder.path()).start().await.kill();
    // Blocks of 512 bytes: 2 MB for each file; the signal that would end the process is ignored, so
    // that writing fails with an error instead.
    let limit = "trap '' XFSZ; ulimit -f 4096; exec \"$@\"";
    let server = Launch::on(folder.path()).shell(limit).start().await;
    let made = until_refused(&server).await;
    reads_on(&server).await;
    server.kill();

    let server = Launch::on(folder.path()).start().await;
    reads_on(&server).await;
    let id = server.create_trial(&small_trial()).await;
    assert_eq!(server.finished(&id).await.state, TrialState::Finished);
    assert_eq!(server.all_trials().await.len(), made + 1, "no half trial");
}

#[tokio::test]
async fn a_full_disk_gives_a_clear_error_and_room_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let may_mount = std::process::Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&disk)
        .output()
        .is_ok_and(|o| o.status.success());
    if !may_mount {
        eprintln!(
            "not tried: this machine lets nobody mount a small disk in a namespace of his own"
        );
        return;
    }
    // A disk of 24 MB that only this server sees.
    let inside = format!(
        "mount -t tmpfs -o size=24m tmpfs '{}' && exec \"$@\"",
        disk.display()
    );
    let line = format!(
        "exec unshare -rm sh -c '{}' sh \"$@\"",
        inside.replace('\'', "'\\''")
    );
    let server = Launch::on(&disk.join("data")).shell(&line).start().await;
    let bars = server.bars("bundled:IBM", "2008-01-01", "2009-12-31").await;
    let seen = format!("/proc/{}/root{}", server.pid(), disk.display());
    let other = Path::new(&seen).join("other");
    let full = std::fs::write(&other, vec![0; 24 << 20]);
    assert!(full.is_err(), "the file took what was left");

    let made = until_refused(&server).await;
    reads_on(&server).await;
    let part = reqwest::multipart::Part::text(csv::ohlcv(&bars)).file_name("mine.csv");
    let form = || reqwest::multipart::Form::new().text("symbol", "MINE");
    let import = |form| {
        let request = server.request(Method::POST, "/api/v1/datasets");
        request.multipart(form).send()
    };
    let answer = import(form().part("file", part)).await.unwrap();
    problem(answer, StatusCode::SERVICE_UNAVAILABLE, &["disk"]).await;
    let listed = server.json("/api/v1/datasets").await;
    let mine = |listed: &Value| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["symbols"][0] == "MINE")
            .count()
    };
    assert_eq!(mine(&listed), 0, "no half data set");

    // As soon as there is room everything goes on, without a restart.
    std::fs::remove_file(&other).unwrap();
    let part = reqwest::multipart::Part::text(csv::ohlcv(&bars)).file_name("mine.csv");
    let answer = import(form().part("file", part)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(mine(&server.json("/api/v1/datasets").await), 1);
    let id = server.create_trial(&small_trial()).await;
    assert_eq!(server.finished(&id).await.state, TrialState::Finished);
    assert_eq!(server.all_trials().await.len(), made + 1, "no half trial");
    reads_on(&server).await;
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a_file");
    std::fs::write(&file, "not a folder").unwrap();
    let Err((code, log)) = Launch::on(&file).try_start().await else {
        panic!("a file is no data folder")
    };
    assert_ne!(code, 0);
    assert!(log.contains("a_file"), "it names the folder: {log}");
    assert!(!log.contains("panicked"), "{log}");

    // A database that is none.
    let data = folder.path().join("data");
    Launch::on(&data).start().await.kill();
    std::fs::write(
        database(&data),
        "this is not a database, but it is long enough to be taken for one",
    )
    .unwrap();
    let Err((code, log)) = Launch::on(&data).try_start().await else {
        panic!("that is no database")
    };
    assert_ne!(code, 0);
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let Err((code, log)) = Launch::on(folder.path()).at(&addr).try_start().await else {
        panic!("two programs on one port")
    };
    assert_ne!(code, 0);
    assert!(log.contains(&addr) && log.contains("in use"), "{log}");
    no_internals(&log);
    let answer = cli(folder.path(), &["serve", "--addr", "not an address"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer.stderr.contains("not an address"),
        "{}",
        answer.stderr
    );
}

#[test]
fn usage_errors_exit_with_2() {
    let desk = Desk::new();
    for args in [
        &["no-such-command"][..],
        &["run"],
        &["run", "ridge", "--no-such-flag"],
        &["catalogue", "--format", "xml"],
        &["trial", "run", "--symbols", "AAPL", "--target", "profit"],
        &["data", "import"],
    ] {
        let answer = desk.call(args);
        assert_eq!(answer.code, 2, "{args:?}: {}", answer.stderr);
        assert!(!answer.stderr.trim().is_empty());
        assert!(!answer.stderr.contains("panicked"));
    }
    assert!(
        !desk.data().exists(),
        "a call that was refused made no data folder"
    );
}
