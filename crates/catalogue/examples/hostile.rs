//! Every entry on tables that break careless code: what happened, how long it took, how much memory.
//!
//! ```text
//! cargo run --release -p mltrainer-catalogue --example hostile [ENTRY[,ENTRY...]] [CASE[,CASE...]]
//! ```
//!
//! Each entry and case runs in a process of its own, ended after two minutes or at 4 GiB. With
//! `--one ENTRY CASE [NAME=VALUE...]` one runs to its end, with parameters. The tables
//! are the S&P 500 rows of the tests, bent: cells left out, columns scaled, rows repeated, columns
//! shifted in time until there are 5,000, rows repeated with columns shifted against each other until
//! there are a million. They exist here only.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench speaks on standard output and reads the clock"
)]

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::{
    Design, Domain, Engine, Entry, FitError, MultiTraining, Observations, ParamMap, Training,
};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection, Verified};
use mltrainer_types::catalogue::Task;
use mltrainer_types::data::QualityReport;
use ndarray::{Array2, Axis};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CASES: [&str; 7] = ["real", "holes", "huge", "tiny", "repeated", "wide", "long"];
const SECONDS: u64 = 120;
const MEMORY_KB: usize = 4 << 20;

struct Table {
    x: Array2<f64>,
    y: Vec<f64>,
    labels: Vec<f64>,
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

fn real() -> Result<Table, Box<dyn Error>> {
    let text = include_str!("../tests/data/spx.csv");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let rows: Result<Vec<Vec<f64>>, _> = lines
        .map(|l| l.split(',').skip(1).map(str::parse).collect())
        .collect();
    let rows = rows?;
    let at = |name: &str| {
        let found = names.iter().skip(1).position(|n| *n == name);
        found.ok_or(format!("no column {name}"))
    };
    let (y, label) = (at("target")?, at("label")?);
    let special = ["last_value", "last_label", "target", "label"];
    let columns: Vec<usize> = (1..names.len())
        .filter(|c| !special.contains(&names[*c]))
        .map(|c| c - 1)
        .collect();
    Ok(Table {
        x: Array2::from_shape_fn((rows.len(), columns.len()), |(i, j)| rows[i][columns[j]]),
        y: rows.iter().map(|r| r[y]).collect(),
        labels: rows.iter().map(|r| r[label]).collect(),
    })
}

fn bent(case: &str) -> Result<Table, Box<dyn Error>> {
    let t = real()?;
    let (n, p) = t.x.dim();
    let repeated = |many: usize| {
        let each = |v: &[f64]| (0..many).map(|i| v[i % v.len()]).collect();
        (each(&t.y), each(&t.labels))
    };
    Ok(match case {
        "holes" => Table {
            x: Array2::from_shape_fn((n, p), |(i, j)| {
                if (i * 7 + j * 3) % 10 == 0 {
                    f64::NAN
                } else {
                    t.x[[i, j]]
                }
            }),
            ..t
        },
        "huge" | "tiny" => {
            let by = if case == "huge" { 1e300 } else { 1e-300 };
            let mut x = t.x.clone();
            x.column_mut(0).mapv_inplace(|v| v * by);
            Table { x, ..t }
        }
        "repeated" => {
            let (y, labels) = repeated(4 * n);
            let x = Array2::from_shape_fn((4 * n, p), |(i, j)| t.x[[i % n, j]]);
            Table { x, y, labels }
        }
        "wide" => {
            let x = Array2::from_shape_fn((50, 5_000), |(i, j)| t.x[[(i + j / p) % n, j % p]]);
            let (y, labels) = repeated(50);
            Table { x, y, labels }
        }
        "long" => {
            let many = 1_000_000;
            let x = Array2::from_shape_fn((many, 10), |(i, j)| {
                t.x[[(i + (i / n) * (j % 7)) % n, j % p]]
            });
            let (y, labels) = repeated(many);
            Table { x, y, labels }
        }
        _ => t,
    })
}

fn design(x: Array2<f64>, entry: &Entry) -> Result<Design, FitError> {
    let names = (0..x.ncols()).map(|j| format!("c{j}")).collect();
    let mut x = x;
    if entry.domain == Domain::NonNegativeColumns {
        x.mapv_inplace(f64::abs);
    }
    if entry.missing {
        Design::with_missing(x, names)
    } else {
        Design::new(x, names)
    }
}

/// Says in one line what became of it.
fn one(id: &str, case: &str, given: &[String]) -> Result<String, Box<dyn Error>> {
    let resolved = registry().find(id).ok_or("no such entry")?;
    let entry = resolved.entry;
    let table: Verified<Table> = Gate::admit(Arrival {
        origin: "user_provided".into(),
        request: "a bent table".into(),
        promised_sha256: None,
        content: bent(case)?,
    })
    .map(|a| a.verified)
    .map_err(|r| r.refusal.reason)?;
    let given = given.iter().filter_map(|g| g.split_once('='));
    let given: ParamMap = given.map(|(k, v)| (k.to_owned(), v.into())).collect();
    let params = resolved.params(&given)?;
    let begun = Instant::now();
    let mut fitted = 0.0;
    let said = match entry.engine {
        Engine::Supervised { fit, .. } => {
            let classify = !entry.card.tasks.contains(&Task::Regression);
            let made = table.derive("bent", case, |t| {
                let design = design(t.x.clone(), entry)?;
                if classify {
                    Training::classification(design, t.labels.clone())
                } else {
                    let positive = matches!(
                        entry.domain,
                        Domain::NonNegativeTarget | Domain::PositiveTarget
                    );
                    let y = t.y.iter().map(|y| if positive { y.exp() } else { *y });
                    Training::regression(design, y.collect())
                }
            });
            made.and_then(|data| {
                let model = fit(&params, &data, 1)?;
                fitted = begun.elapsed().as_secs_f64();
                let some = data
                    .get()
                    .x()
                    .slice_axis(Axis(0), (..data.get().y().len().min(1_000)).into());
                model
                    .predict(some)
                    .map(|p| p.values.iter().all(|v| v.is_finite()))
            })
        }
        Engine::Clustering { run } => table
            .derive("bent", case, |t| {
                design(t.x.clone(), entry).map(Observations::from)
            })
            .and_then(|data| run(&params, &data, 1))
            .map(|_| true),
        Engine::Multi { fit, .. } => {
            let task = entry.card.tasks[0];
            let made = table.derive("bent", case, |t| {
                let design = design(t.x.clone(), entry)?;
                let first = if task == Task::Classification {
                    &t.labels
                } else {
                    &t.y
                };
                // The second target is the first of the day after.
                let mut second = first.clone();
                second.rotate_left(1);
                let targets = vec![("now".into(), first.clone()), ("next".into(), second)];
                MultiTraining::new(&design, targets, task)
            });
            made.and_then(|data| {
                let model = fit(&params, &data, 1)?;
                let x = data.get().design().x();
                let some = x.slice_axis(Axis(0), (..x.nrows().min(1_000)).into());
                let all = model.predict(some)?;
                Ok(all.iter().flat_map(|p| &p.values).all(|v| v.is_finite()))
            })
        }
        _ => return Ok("not a table's".into()),
    };
    let all = begun.elapsed().as_secs_f64();
    let told = match said {
        Ok(true) => "done".into(),
        Ok(false) => "AN ANSWER IS NOT FINITE".into(),
        Err(e) => format!("refused: {e}"),
    };
    Ok(format!("{:.2} s | {told}", all.max(fitted)))
}

fn memory_kb(process: &str, row: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(row));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

/// Runs one in a process of its own.
fn watched(id: &str, case: &str) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--one", id, case])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let begun = Instant::now();
    let mut peak = 0;
    loop {
        peak = peak.max(memory_kb(&child.id().to_string(), "VmHWM"));
        if let Some(status) = child.try_wait()? {
            let mut said = String::new();
            if let Some(mut out) = child.stdout.take() {
                out.read_to_string(&mut said)?;
            }
            let said = said.trim();
            return Ok(if said.is_empty() {
                format!("{} MB | DIED: {status}", peak >> 10)
            } else {
                said.into()
            });
        }
        let late = begun.elapsed() > Duration::from_secs(SECONDS);
        if late || peak > MEMORY_KB {
            child.kill()?;
            child.wait()?;
            let why = if late { "TOO LATE" } else { "TOO LARGE" };
            return Ok(format!("{} MB | {why}", peak >> 10));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, id, case, given @ ..] = &args[..]
        && flag == "--one"
    {
        let said = one(id, case, given).unwrap_or_else(|e| format!("refused: {e}"));
        println!("{} MB | {said}", memory_kb("self", "VmHWM") >> 10);
        return Ok(());
    }
    let among = |at: usize, name: &str| {
        let given = args.get(at).filter(|g| !g.is_empty());
        given.is_none_or(|g| g.split(',').any(|w| w == name))
    };
    println!("| entry | case | memory | time | what happened |\n|---|---|---|---|---|");
    for entry in registry().entries() {
        let id = entry.card.id;
        let of_tables = matches!(
            entry.engine,
            Engine::Supervised { .. } | Engine::Clustering { .. } | Engine::Multi { .. }
        );
        for case in CASES
            .iter()
            .filter(|c| of_tables && among(0, id) && among(1, c))
        {
            println!("| {id} | {case} | {} |", watched(id, case)?);
        }
    }
    Ok(())
}
