//! The catalogue's side of `benches/peers/catalogue_sklearn.py`, which starts it and speaks with it over
//! standard input and output: one line of JSON asks, one line answers.
//!
//! `load` reads a table (numbers of 8 bytes, row after row, then the target) and fits its first rows once, so
//! that the code is in memory; `run` fits and predicts and tells the seconds and the growth of memory. Predictions go to a file for the script to judge.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench speaks on standard output and reads the clock"
)]

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::{Design, Engine, Observations, ParamMap, Training, threads};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection, Verified};
use mltrainer_types::data::QualityReport;
use ndarray::{Array2, Axis};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

/// A table of numbers, the target last.
struct Table {
    x: Array2<f64>,
    y: Vec<f64>,
}

impl Content for Table {
    fn digest(&self, d: &mut Digest) {
        d.floats(&self.y);
    }
}

impl Admissible for Table {
    fn inspect(self) -> Inspection<Self> {
        let rows = self.y.len() as u64;
        Inspection {
            usable: self,
            report: QualityReport {
                score: 100.0,
                rows,
                usable: rows,
                quarantined: 0,
                counts: BTreeMap::new(),
                findings: Vec::new(),
            },
        }
    }
}

fn text<'a>(ask: &'a Value, name: &str) -> Result<&'a str, String> {
    ask[name]
        .as_str()
        .ok_or_else(|| format!("{name} is not given"))
}

fn size(ask: &Value, name: &str) -> Result<usize, String> {
    let given = ask[name]
        .as_u64()
        .ok_or_else(|| format!("{name} is not given"))?;
    Ok(given as usize)
}

fn read(path: &str, rows: usize, columns: usize) -> Result<Table, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let mut numbers = bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()));
    let x: Vec<f64> = numbers.by_ref().take(rows * columns).collect();
    Ok(Table {
        x: Array2::from_shape_vec((rows, columns), x)?,
        y: numbers.take(rows).collect(),
    })
}

fn admit(table: Table) -> Result<Verified<Table>, String> {
    Gate::admit(Arrival {
        origin: "user_provided".into(),
        request: "the table of the bench".into(),
        promised_sha256: None,
        content: table,
    })
    .map(|a| a.verified)
    .map_err(|r| r.refusal.reason)
}

fn design(table: &Table, rows: usize) -> Result<Design, mltrainer_catalogue_core::FitError> {
    let names = (0..table.x.ncols()).map(|j| format!("c{j}")).collect();
    let x = table.x.slice_axis(Axis(0), (..rows).into()).to_owned();
    Design::with_missing(x, names)
}

/// Memory that the kernel counts for this process, in KiB: now, or the most since the last reset.
fn memory(row: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(row));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

/// Seconds of the processor that this thread has had.
fn processor_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let first = text.split_whitespace().next();
    first
        .and_then(|n| n.parse::<f64>().ok())
        .unwrap_or_default()
        / 1e9
}

enum Data {
    Supervised(Verified<Training>),
    Rows(Verified<Observations>),
}

struct Loaded {
    data: Data,
    test: Array2<f64>,
}

/// Rows that are fitted before anything is measured.
const WARMING: usize = 400;

fn load(ask: &Value) -> Result<Loaded, Box<dyn Error>> {
    let (rows, columns) = (size(ask, "rows")?, size(ask, "columns")?);
    let table = admit(read(text(ask, "train")?, rows, columns)?)?;
    let task = text(ask, "task")?;
    let first = |many: usize| -> Result<Data, Box<dyn Error>> {
        if task == "rows" {
            let rows = table.derive("table", "bench", |t| {
                design(t, many).map(Observations::from)
            })?;
            return Ok(Data::Rows(rows));
        }
        Ok(Data::Supervised(table.derive("table", "bench", |t| {
            let (design, y) = (design(t, many)?, t.y[..many].to_vec());
            if task == "classification" {
                Training::classification(design, y)
            } else {
                Training::regression(design, y)
            }
        })?))
    };
    let test = read(text(ask, "test")?, size(ask, "test_rows")?, columns)?.x;
    let warming = Loaded {
        data: first(WARMING.min(rows))?,
        test: test.slice_axis(Axis(0), (..1).into()).to_owned(),
    };
    run(ask, &warming)?;
    Ok(Loaded {
        data: first(rows)?,
        test,
    })
}

fn run(ask: &Value, loaded: &Loaded) -> Result<Value, Box<dyn Error>> {
    let id = text(ask, "id")?;
    let resolved = registry().find(id).ok_or("no such entry")?;
    let given: ParamMap = ask["params"].as_object().cloned().unwrap_or_default();
    let params = resolved.params(&given)?;
    // Reset the peak.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = memory("VmRSS");
    let granted = size(ask, "threads")?;
    // One thread is timed by the processor, so that what else the machine does counts for nothing.
    // The kernel counts it tick by tick: what is short is timed by the clock.
    let begun = Instant::now();
    let now = || (begun.elapsed().as_secs_f64(), processor_s());
    let since = |start: (f64, f64)| {
        let (clock, processor) = (now().0 - start.0, now().1 - start.1);
        if granted == 1 && clock > 0.01 {
            processor
        } else {
            clock
        }
    };
    let start = now();
    let mut middle = start;
    let mut fitted_s = 0.0;
    let values = threads::grant(granted, || -> Result<Vec<f64>, Box<dyn Error>> {
        match (&resolved.entry.engine, &loaded.data) {
            (Engine::Supervised { fit, .. }, Data::Supervised(data)) => {
                let model = fit(&params, data, 1)?;
                fitted_s = since(start);
                middle = now();
                let p = model.predict(loaded.test.view())?;
                Ok(match p.probabilities {
                    Some(p) if p.ncols() == 2 => p.column(1).to_vec(),
                    _ => p.values,
                })
            }
            (Engine::Clustering { run }, Data::Rows(data)) => {
                let outputs = run(&params, data, 1)?;
                fitted_s = since(start);
                middle = now();
                let found = outputs.get("scores").or_else(|| outputs.get("labels"));
                let found = found.and_then(Value::as_array).cloned().unwrap_or_default();
                Ok(found.iter().filter_map(Value::as_f64).collect())
            }
            _ => Err("the entry is of another kind".into()),
        }
    });
    let predicted_s = since(middle);
    let peak = memory("VmHWM");
    let growth = peak.saturating_sub(before);
    match values {
        Ok(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            std::fs::write(text(ask, "out")?, bytes)?;
            Ok(
                json!({"fit_s": fitted_s, "predict_s": predicted_s, "peak_kb": peak, "growth_kb": growth}),
            )
        }
        Err(e) => Ok(json!({"error": e.to_string(), "fit_s": since(start), "peak_kb": peak})),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut loaded = None;
    for line in std::io::stdin().lock().lines() {
        let ask: Value = serde_json::from_str(&line?)?;
        let answer = if ask["do"] == "load" {
            match load(&ask) {
                Ok(l) => {
                    loaded = Some(l);
                    json!({"loaded": true})
                }
                Err(e) => json!({"error": e.to_string()}),
            }
        } else {
            match &loaded {
                Some(l) => run(&ask, l)?,
                None => json!({"error": "load a table first"}),
            }
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
