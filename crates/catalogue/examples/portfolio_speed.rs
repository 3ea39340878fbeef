//! Our half of `benches/peers/portfolio_skfolio.py`: one entry on a table of prices, some rounds in one process.
//!
//! ```text
//! portfolio_speed ENTRY '{"covariance": "sample"}' PRICES.csv ROUNDS
//! ```
//!
//! The file holds a header and a row a day, a column an asset and no dates. Printed is one line of JSON: the
//! milliseconds of each round, from the prices to all outputs, the volatility and the number of positions.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench speaks on standard output and reads the clock"
)]

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Ask, Design, FitError, ParamMap, SeriesTable};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection};
use mltrainer_types::data::QualityReport;
use ndarray::Array2;
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

struct Prices {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Content for Prices {
    fn digest(&self, d: &mut Digest) {
        for row in &self.rows {
            d.floats(row);
        }
    }
}

impl Admissible for Prices {
    fn inspect(self) -> Inspection<Self> {
        let rows = self.rows.len() as u64;
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
        return Err("usage: portfolio_speed ENTRY PARAMS PRICES ROUNDS".into());
    };
    let resolved = registry().find(entry).ok_or("unknown entry")?;
    let params: ParamMap = serde_json::from_str(params)?;
    let text = std::fs::read_to_string(file)?;
    let mut lines = text.lines();
    let head = lines.next().ok_or("the file is empty")?;
    let rows: Result<Vec<Vec<f64>>, _> = lines
        .map(|l| l.split(',').map(str::parse::<f64>).collect())
        .collect();
    let arrival = Arrival {
        origin: "user_provided".into(),
        request: "prices of the bench".into(),
        promised_sha256: None,
        content: Prices {
            names: head.split(',').map(str::to_owned).collect(),
            rows: rows?,
        },
    };
    let admitted = Gate::admit(arrival).map_err(|e| e.refusal.reason)?.verified;
    let data = admitted.derive("series", "bench", |p| {
        let shape = (p.rows.len(), p.names.len());
        let flat = p.rows.concat();
        let x = Array2::from_shape_vec(shape, flat)
            .map_err(|e| FitError::Data(format!("rows of different length: {e}")))?;
        SeriesTable::new(Design::new(x, p.names.clone())?, None)
    });
    let data = data.map_err(|e: FitError| e.to_string())?;
    let ask = Ask {
        horizon: 1,
        seed: 0,
    };
    let mut times = Vec::new();
    let mut found = json!(null);
    for _ in 0..rounds.parse::<usize>()? {
        let start = Instant::now();
        let answer = run_analysis(&resolved, &params, &data, ask, &|| 0.0)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        found = json!({
            "volatility": answer.outputs["volatility"],
            "positions": answer.outputs["positions"],
        });
    }
    println!("{}", json!({"ms": times, "found": found}));
    Ok(())
}
