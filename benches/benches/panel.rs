//! 14 features of 800 symbols over 3,400 days at once: time from bars in memory to columns in memory,
//! cold, and the peak of memory; beside pandas on the same panel in the same run when an interpreter
//! that has it is named. It reports and never asserts.
//!
//! `cargo bench -p mltrainer-bench --bench panel -- --python PATH_OF_PYTHON`
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot be made says why and ends"
)]

use mltrainer_bench::{now, panel, peak_mib};
use mltrainer_data::bars::Bars;
use mltrainer_features::{Context, FeatureTable, compute_many};
use serde_json::Value;
use std::process::Command;

const SYMBOLS: usize = 800;
const DAYS: usize = 3_400;

const FEATURES: [&str; 14] = [
    "log_return_1",
    "log_return_20",
    "momentum_120",
    "sma_gap_20",
    "sma_gap_50",
    "high_distance_20",
    "high_distance_252",
    "log_volatility_20",
    "parkinson_20",
    "volume_ratio_20",
    "rsi_14",
    "macd_histogram",
    "bollinger_b_20",
    "atr_share_14",
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // Cargo passes `--bench`, and `--test` when it only wants to see that it runs.
    if args.iter().any(|a| a == "--test" || a == "--list") {
        return;
    }
    let bars = panel(SYMBOLS, DAYS);
    let bars: Vec<&Bars> = bars.iter().collect();
    let wanted = FEATURES.map(str::to_owned);
    let begin = now();
    let tables = compute_many(&bars, &Context::default(), &wanted, None).expect("features");
    let seconds = begin.elapsed().as_secs_f64();
    let peak = peak_mib();
    let begin = now();
    let again = compute_many(&bars, &Context::default(), &wanted, None).expect("features");
    let warm = begin.elapsed().as_secs_f64();
    drop(again);

    println!(
        "{} features x {SYMBOLS} symbols x {DAYS} days, {} threads\n",
        FEATURES.len(),
        threads()
    );
    println!("| who | cold, s | warm, s | peak memory, MiB |\n| --- | --- | --- | --- |");
    println!("| goal | under 8 | | under 2,048 |");
    println!("| mltrainer | {seconds:.2} | {warm:.2} | {peak:.0} |");
    let Some(python) = args
        .iter()
        .position(|a| a == "--python")
        .and_then(|i| args.get(i + 1))
    else {
        println!("\npandas was not asked: name an interpreter that has it with -- --python PATH");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/features_pandas.py");
    let peer = Command::new(python)
        .args([script, &SYMBOLS.to_string(), &DAYS.to_string()])
        .output()
        .expect("the interpreter named with --python");
    let told: Value = serde_json::from_slice(&peer.stdout).unwrap_or_else(|_| {
        let said = String::from_utf8_lossy(&peer.stderr).into_owned();
        Value::from(said)
    });
    let (Some(theirs), Some(memory)) = (told["seconds"].as_f64(), told["peak_mib"].as_f64()) else {
        println!("\npandas could not be measured: {told}");
        return;
    };
    let library = told["library"].as_str().unwrap_or("pandas");
    println!("| {library} | {theirs:.2} | | {memory:.0} |");
    println!(
        "| pandas / mltrainer | {:.1} | | {:.1} |",
        theirs / seconds,
        memory / peak
    );
    println!("\n| feature | mean, mltrainer | mean, pandas |\n| --- | --- | --- |");
    for name in FEATURES {
        let other = told["means"][name].as_f64().unwrap_or(f64::NAN);
        println!("| {name} | {:.9} | {other:.9} |", mean(&tables, name));
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The mean over all symbols and days on which there is a value.
fn mean(tables: &[FeatureTable], name: &str) -> f64 {
    let columns = tables.iter().filter_map(|t| t.column(name));
    let values = columns.flatten().filter(|v| v.is_finite());
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}
