//! Times of the time-series models on real series, one line of JSON each: read by
//! `benches/peers/series_statsmodels.py`, which times statsmodels on the same series in the same run.

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Ask, Design, FitError, ParamMap, SeriesTable};
use mltrainer_compliance::{Admissible, Arrival, Content, Digest, Gate, Inspection};
use mltrainer_types::data::QualityReport;
use ndarray::Array2;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

/// Model, parameters, file, columns, and the output that both print.
const RUNS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "arima",
        r#"{"order": "2,1,1"}"#,
        "aapl",
        "close",
        "log_likelihood",
    ),
    (
        "holt_winters",
        r#"{"seasonal": "add", "period": "12"}"#,
        "co2",
        "co2",
        "sse",
    ),
    (
        "var",
        r#"{"lags": "2"}"#,
        "macro_growth",
        "gdp_growth,cons_growth,inv_growth",
        "aic",
    ),
];

/// Repetitions, of which the median is told.
const TIMES: usize = 21;

struct File(SeriesTable);

impl Content for File {
    fn digest(&self, d: &mut Digest) {
        self.0.digest(d);
    }
}

impl Admissible for File {
    fn inspect(self) -> Inspection<Self> {
        let rows = self.0.rows() as u64;
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

fn table(path: &str, columns: &str) -> Result<SeriesTable, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut cells = Vec::new();
    let mut rows = 0;
    for line in lines {
        let row: Vec<&str> = line.split(',').collect();
        for name in columns.split(',') {
            let at = head
                .iter()
                .position(|h| *h == name)
                .ok_or("a column is missing")?;
            cells.push(row.get(at).ok_or("a short row")?.parse::<f64>()?);
        }
        rows += 1;
    }
    let names: Vec<String> = columns.split(',').map(str::to_owned).collect();
    let x = Array2::from_shape_vec((rows, names.len()), cells)?;
    Ok(SeriesTable::new(Design::new(x, names)?, None)?)
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: series_speed FOLDER")?;
    let mut out = std::io::stdout();
    for (model, params, file, columns, figure) in RUNS {
        let content = File(table(&format!("{folder}/{file}.csv"), columns)?);
        let arrival = Arrival {
            origin: "user_provided".into(),
            request: file.into(),
            promised_sha256: None,
            content,
        };
        let admitted = Gate::admit(arrival).map_err(|_| "the file is refused")?;
        let series = admitted
            .verified
            .derive("series", "all", |f| Ok::<_, FitError>(f.0.clone()))?;
        let resolved = registry().find(model).ok_or("no such model")?;
        let given: ParamMap = serde_json::from_str(params)?;
        let ask = Ask {
            horizon: 10,
            seed: 0,
        };
        let mut times = Vec::new();
        let mut value = Value::Null;
        for _ in 0..TIMES {
            let start = std::time::Instant::now();
            let answer = run_analysis(&resolved, &given, &series, ask, &|| 0.0)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            value = answer.outputs.get(figure).cloned().unwrap_or(Value::Null);
        }
        times.sort_by(f64::total_cmp);
        let line = json!({"model": model, "ms": times[TIMES / 2], figure: value});
        writeln!(out, "{line}")?;
    }
    Ok(())
}
