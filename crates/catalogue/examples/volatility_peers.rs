//! Our half of `benches/peers/volatility_arch.py`: one entry on one series, some rounds in one process.
//!
//! ```text
//! volatility_peers ENTRY '{"p": 1}' SERIES.txt ROUNDS
//! ```
//!
//! The file holds one number a line. Printed is one line of JSON: the milliseconds of each round, from the
//! series to all outputs, and the log likelihood.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench speaks on standard output and reads the clock"
)]

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Ask, Design, FitError, ParamMap, SeriesTable};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection, QualityReport};
use ndarray::Array2;
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

struct Series(Vec<f64>);

impl Content for Series {
    fn digest(&self, d: &mut Digest) {
        d.floats(&self.0);
    }
}

impl Admissible for Series {
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

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [entry, params, file, rounds] = &words[..] else {
        return Err("usage: volatility_peers ENTRY PARAMS SERIES ROUNDS".into());
    };
    let resolved = registry().find(entry).ok_or("unknown entry")?;
    let params: ParamMap = serde_json::from_str(params)?;
    let text = std::fs::read_to_string(file)?;
    let values: Result<Vec<f64>, _> = text.lines().map(|l| l.trim().parse::<f64>()).collect();
    let arrival = Arrival {
        origin: "user_provided".into(),
        request: "series of the bench".into(),
        promised_sha256: None,
        content: Series(values?),
    };
    let admitted = Gate::admit(arrival).map_err(|e| e.refusal.reason)?.verified;
    let data = admitted.derive("series", "bench", |s| {
        let x = Array2::from_shape_fn((s.0.len(), 1), |(t, _)| s.0[t]);
        SeriesTable::new(Design::new(x, vec!["ret".into()])?, None)
    });
    let data = data.map_err(|e: FitError| e.to_string())?;
    let ask = Ask {
        horizon: 1,
        seed: 1,
    };
    let mut times = Vec::new();
    let mut value = json!(null);
    for _ in 0..rounds.parse::<usize>()? {
        let start = Instant::now();
        let answer = run_analysis(&resolved, &params, &data, ask, &|| 0.0)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        value = answer.outputs["log_likelihood"].clone();
    }
    println!("{}", json!({"ms": times, "log_likelihood": value}));
    Ok(())
}
