//! 30 indicators over 20 years of days beside TA-Lib, both in this run and with their defaults.
//!
//! `cargo bench -p mltrainer-catalogue --bench indicators -- --python PATH_OF_PYTHON`
//!
//! The interpreter needs TA-Lib, pandas and pyarrow. Ours is timed as the rest of the program calls it:
//! parameters by name and verified bars in, the bars checked, columns out.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::{Bars, Engine, ParamMap};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection, Verified};
use mltrainer_types::data::QualityReport;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// The best of so many.
const REPEATS: usize = 3000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip_while(|a| a != "--python").skip(1);
    let Some(python) = args.next() else {
        println!("name an interpreter that has TA-Lib, pandas and pyarrow with -- --python PATH");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("bars.csv");
    let peer =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers/indicators_talib.py");
    let answer = Command::new(python).arg(peer).arg(&copy).output()?;
    if !answer.status.success() {
        return Err(String::from_utf8_lossy(&answer.stderr).into_owned().into());
    }
    let answer: Value = serde_json::from_slice(&answer.stdout)?;
    let theirs = answer["microseconds"].as_object().ok_or("no times")?;
    let bars = admit(&std::fs::read_to_string(&copy)?)?;

    println!("{} bars; {}", bars.get().len(), answer["version"]);
    println!(
        "{:<42} {:>10} {:>10} {:>7}",
        "", "ours µs", "theirs µs", "ratio"
    );
    let (mut total, mut peers, mut worst) = (0.0, 0.0, 0.0_f64);
    for (name, peer) in theirs {
        let peer = peer.as_f64().ok_or("a time is not a number")?;
        let own = best(name, &bars)?;
        println!("{name:<42} {own:>10.1} {peer:>10.1} {:>7.2}", own / peer);
        (total, peers, worst) = (total + own, peers + peer, worst.max(own / peer));
    }
    let all = format!("all {}", theirs.len());
    println!(
        "{all:<42} {total:>10.1} {peers:>10.1} {:>7.2}",
        total / peers
    );
    println!("worst ratio {worst:.2}");
    Ok(())
}

/// Microseconds of an entry with parameters, written `id name=value`.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn best(name: &str, bars: &Verified<Bars>) -> Result<f64, Box<dyn Error>> {
    let mut words = name.split(' ');
    let id = words.next().unwrap_or_default();
    let resolved = registry().find(id).ok_or("an entry is missing")?;
    let Engine::Indicator { run } = resolved.entry.engine else {
        return Err("not an indicator".into());
    };
    let given = words.filter_map(|w| w.split_once('='));
    let given: ParamMap = given.map(|(k, v)| (k.into(), Value::from(v))).collect();
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        black_box(run(black_box(&given), black_box(bars))?);
        best = best.min(start.elapsed().as_nanos() as f64 / 1000.0);
    }
    Ok(best)
}

/// The bars of a CSV, through the gate.
fn admit(csv: &str) -> Result<Verified<Bars>, Box<dyn Error>> {
    let mut columns: [Vec<f64>; 5] = Default::default();
    for line in csv.lines().skip(1) {
        for (column, cell) in columns.iter_mut().zip(line.split(',').skip(1)) {
            column.push(cell.parse()?);
        }
    }
    let [open, high, low, close, volume] = columns;
    let bars = Bars {
        open: Some(open),
        high: Some(high),
        low: Some(low),
        close,
        volume: Some(volume),
    };
    let admitted = Gate::admit(Arrival {
        origin: "user_provided".into(),
        request: "the bundled S&P 500".into(),
        promised_sha256: None,
        content: Csv(bars),
    });
    let verified = admitted.map_err(|r| r.refusal.reason)?.verified;
    Ok(verified.derive("columns", "bench", |csv| Ok::<_, String>(csv.0.clone()))?)
}

/// What passes the gate.
struct Csv(Bars);

impl Content for Csv {
    fn digest(&self, d: &mut Digest) {
        self.0.digest(d);
    }
}

impl Admissible for Csv {
    fn inspect(self) -> Inspection<Self> {
        let rows = self.0.len() as u64;
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
