//! Files of the user's own: looked at, corrected, imported, compared, read as of a day.

use mltrainer_it::{Server, cli_in, csv};
use mltrainer_types::data::{DatasetKind, DatasetQuality, FilePreview, ImportOutcome};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// Two years of IBM as a German spreadsheet saves them.
async fn german(server: &Server) -> String {
    let bars = server.bars("bundled:IBM", "2008-01-01", "2009-12-31").await;
    let mut text = String::from("\u{feff}Datum;Eröffnung;Hoch;Tief;Schluss;Umsatz\r\n");
    let comma = |x: Option<f64>| format!("{:.2}", x.unwrap()).replace('.', ",");
    for b in bars {
        let _ = write!(
            text,
            "{};{};{};{};{};\"{}\"\r\n",
            b.date.format("%d.%m.%Y"),
            comma(b.open),
            comma(b.high),
            comma(b.low),
            comma(Some(b.close)),
            b.volume.unwrap()
        );
    }
    text
}

const COLUMNS: &str = "date=Datum,open=Eröffnung,high=Hoch,low=Tief,close=Schluss,volume=Umsatz";

#[tokio::test]
async fn a_file_is_looked_at_corrected_and_imported() {
    let server = Server::fresh().await;
    let text = german(&server).await;
    let post = |path: &'static str, form: Form| {
        let request = server.request(Method::POST, path).multipart(form);
        async { request.send().await.unwrap() }
    };
    let part = Part::text(text).file_name("kurse.csv");
    let answer = post("/api/v1/datasets/preview", Form::new().part("file", part)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let found: FilePreview = answer.json().await.unwrap();
    assert_eq!(found.layout.delimiter.as_deref(), Some("semicolon"));
    assert_eq!(found.layout.columns[0].field.as_deref(), Some("date"));
    assert_eq!(found.layout.columns[4].field, None);
    assert!(found.layout.problem.unwrap().contains("close=NAME"));

    // The file need not be sent again.
    let staged = || Form::new().text("staged", found.staged.clone());
    let form = staged().text("map", COLUMNS);
    let answer = post("/api/v1/datasets/preview", form).await;
    let found: FilePreview = answer.json().await.unwrap();
    assert_eq!(found.layout.problem, None);
    assert_eq!(found.layout.decimal.as_deref(), Some("comma"));
    let form = staged().text("symbol", "IBM").text("map", COLUMNS);
    let answer = post("/api/v1/datasets", form).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let made: ImportOutcome = answer.json().await.unwrap();
    let made = made.dataset.unwrap();
    assert_eq!((made.rows, made.kind), (505, DatasetKind::Bars));

    // Two sources of IBM now, and they agree: rounding to cents is below the tolerance.
    let path = format!("/api/v1/datasets/{}/quality", made.id);
    let quality: DatasetQuality = serde_json::from_value(server.json(&path).await).unwrap();
    assert!(quality.age.is_over() && quality.coverage.is_none());
    let beside = &quality.comparisons[0];
    assert_eq!(beside.id.as_str(), "bundled:IBM");
    assert_eq!((beside.result.compared, beside.result.differing), (505, 0));

    for (form, words) in [
        (
            staged().text("symbol", "IBM").text("map", "close=Preis"),
            "Preis",
        ),
        (
            staged().text("symbol", "IBM").text("map", "colour=red"),
            "colour",
        ),
        (
            Form::new().text("symbol", "IBM").text("staged", "00"),
            "send it again",
        ),
        (Form::new().text("symbol", "IBM"), "missing"),
    ] {
        let answer = post("/api/v1/datasets", form).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let problem: Value = answer.json().await.unwrap();
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn bars_are_read_as_of_a_day() {
    let server = Server::fresh().await;
    let at = |query: &'static str| format!("/api/v1/datasets/bundled:AAPL/bars?{query}");
    // Apple closed at 88.99 dollars on Friday 2005-02-25 and split 2 for 1 on the Monday after.
    let close = |bars: &Value, date: &str| -> f64 {
        let all = bars.as_array().unwrap();
        let bar = all.iter().find(|b| b["date"] == date).unwrap();
        bar["close"].as_f64().unwrap()
    };
    let friday = server.json(&at("as_of=2005-02-25")).await;
    assert_eq!(
        friday.as_array().unwrap().last().unwrap()["date"],
        "2005-02-25"
    );
    assert_eq!(close(&friday, "2005-02-25"), 88.99);
    let monday = server.json(&at("as_of=2005-02-28")).await;
    assert_eq!(close(&monday, "2005-02-25"), 44.495);
    let raw = server.json(&at("as_of=2005-02-28&adjust=raw")).await;
    assert_eq!(close(&raw, "2005-02-25"), 88.99);
    for bad in [
        "as_of=soon",
        "adjust=raw",
        "as_of=2005-02-28&adjust=dividends",
    ] {
        let answer = server.get(&at(bad)).await;
        assert!(answer.status().is_client_error(), "{bad}");
    }
}

/// Hours of 2010 out of the bundled days: seven bars a session, four on the half day after
/// Thanksgiving, which is the only short session of that year.
#[tokio::test]
async fn bars_of_an_hour_become_a_data_set_of_days() {
    let server = Server::fresh().await;
    let bars = server.bars("bundled:IBM", "2010-01-01", "2010-12-31").await;
    drop(server);
    let mut text = String::from("date,open,high,low,close,volume\n");
    for b in &bars {
        let (open, high, low) = (b.open.unwrap(), b.high.unwrap(), b.low.unwrap());
        let last = if b.date.to_string() == "2010-11-26" {
            12
        } else {
            15
        };
        for hour in 9..=last {
            let open = if hour == 9 { open } else { b.close };
            let _ = writeln!(
                text,
                "{} {hour}:30,{open},{high},{low},{},100",
                b.date, b.close
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(folder.path().join("hours.csv"), text).unwrap();
    let call = |args: &[&str]| cli_in(folder.path(), &data, args, &[]);
    let import = [
        "data",
        "import",
        "hours.csv",
        "--symbol",
        "HOURS",
        "--format",
        "json",
    ];
    let made: ImportOutcome = serde_json::from_value(call(&import).json()).unwrap();
    let set = made.dataset.unwrap();
    assert_eq!(set.kind, DatasetKind::Intraday);
    let args = ["data", "quality", set.id.as_str(), "--format", "json"];
    let quality: DatasetQuality = serde_json::from_value(call(&args).json()).unwrap();
    let coverage = quality.coverage.unwrap();
    assert_eq!((coverage.sessions, coverage.minutes), (252, 60));
    assert_eq!(
        (coverage.partial, coverage.missing, coverage.outside),
        (0, 0, 0)
    );
    assert_eq!(coverage.expected, 251 * 7 + 4);
    // A trial takes its days.
    let trial = [
        "trial",
        "run",
        "--symbols",
        "HOURS",
        "--models",
        "ridge",
        "--target",
        "return",
        "--horizon",
        "1",
        "--folds",
        "2",
        "--format",
        "json",
    ];
    let trial = call(&trial).json();
    assert_eq!(trial["state"], "finished");
}

#[test]
fn parquet_is_imported_and_other_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/bundled/bars");
    let file = bundle.join("IBM.parquet");
    let call = |args: &[&str]| cli_in(folder.path(), &data, args, &[]);
    let path = file.to_str().unwrap();
    let import = [
        "data", "import", path, "--symbol", "IBM", "--format", "json",
    ];
    let made: ImportOutcome = serde_json::from_value(call(&import).json()).unwrap();
    assert_eq!(made.dataset.unwrap().rows, 3270);
    let bytes = std::fs::read(&file).unwrap();
    let cut = folder.path().join("cut.parquet");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let torn = ["data", "import", "cut.parquet", "--symbol", "CUT"];
    call(&torn).refused(3, &["Parquet", "cut off"]);
    std::fs::write(folder.path().join("x.arrow"), b"ARROW1\0\0nonsense").unwrap();
    let torn = ["data", "import", "x.arrow", "--symbol", "CUT"];
    call(&torn).refused(3, &["Arrow", "CSV"]);
    // A wrong mapping is a wrong argument.
    std::fs::write(folder.path().join("x.csv"), csv::ohlcv(&[])).unwrap();
    let wrong = [
        "data",
        "import",
        "x.csv",
        "--symbol",
        "X",
        "--map",
        "decimal=dot",
    ];
    call(&wrong).refused(2, &["decimal=dot", "point or comma"]);
}
