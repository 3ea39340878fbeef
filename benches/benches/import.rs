//! A user's CSV file of about 100 MB: minute bars of twenty years of sessions, with the bundled
//! S&P 500 figures one after the other. The file exists in this bench only.
//!
//! `read` cuts the text into columns; `gate` is the same with checks, score and screen, as an import
//! does it: the screen finds the repeated years and refuses the file, as it should, after all of its
//! work; `store` adds hash and Parquet file on the disk.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up stops with what was missing"
)]

use chrono::{DateTime, NaiveDate, TimeDelta};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mltrainer_compliance::{Arrival, Gate};
use mltrainer_data::import::{self, Content, Mapping};
use mltrainer_data::intraday::Intraday;
use mltrainer_data::library::{Library, Provenance};
use mltrainer_data::{bundled, calendar};
use std::fmt::Write as _;
use std::hint::black_box;

/// The text of the file.
fn file() -> String {
    let spx = bundled::bars("SPX").expect("the bundled bars").content;
    let column = |c: &Option<Vec<f64>>| c.clone().unwrap_or_default();
    let (open, high, low, volume) = (
        column(&spx.open),
        column(&spx.high),
        column(&spx.low),
        column(&spx.volume),
    );
    let day = |y| NaiveDate::from_ymd_opt(y, 1, 1).expect("a day");
    let mut text = String::from("timestamp,open,high,low,close,volume\n");
    let mut row = 0;
    for session in calendar::sessions(day(2000), day(2020)) {
        for minute in 0..session.minutes() {
            let at = session.open + TimeDelta::minutes(minute);
            let i = row % spx.close.len();
            writeln!(
                text,
                "{},{:.2},{:.2},{:.2},{:.2},{}",
                at.format("%Y-%m-%dT%H:%M:%SZ"),
                open[i],
                high[i],
                low[i],
                spx.close[i],
                volume[i]
            )
            .expect("text");
            row += 1;
        }
    }
    text
}

fn read(text: &str) -> Intraday {
    match import::read(text.as_bytes(), "BENCH", &Mapping::default()) {
        Ok(Content::Intraday(bars)) => bars,
        other => unreachable!("minute bars: {other:?}"),
    }
}

/// What the gate does with the bars of a user's file, up to its verdict.
fn judged(content: Intraday) {
    let verdict = Gate::admit(Arrival {
        origin: "user_provided".to_owned(),
        request: "bench.csv".to_owned(),
        promised_sha256: None,
        content,
    });
    let refused = verdict.expect_err("years that repeat are found").refusal;
    assert_eq!(refused.rule, "no_synthetic_data");
}

fn csv(c: &mut Criterion) {
    let text = file();
    let folder = tempfile::tempdir().expect("a folder");
    let library = Library::new(folder.path().to_path_buf());
    let provenance = Provenance {
        origin: "user_provided".to_owned(),
        request: "bench.csv".to_owned(),
        at: DateTime::UNIX_EPOCH,
    };
    let mut group = c.benchmark_group("import_csv");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("read", |b| b.iter(|| black_box(read(&text))));
    group.bench_function("gate", |b| b.iter(|| judged(read(&text))));
    // What is stored is read beforehand: a copy of the columns for the gate is not part of an import.
    let bars = read(&text);
    group.bench_function("store", |b| {
        b.iter(|| {
            judged(read(&text));
            library.write_intraday(&bars, &provenance)
        });
    });
    group.finish();
}

criterion_group!(benches, csv);
criterion_main!(benches);
