//! Time series, tests and measures of dependence against the libraries named in `data/dependence.json`, on the
//! closes in `data/closes.csv` and their returns; `data/dependence.py` prints that file.

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::run::run_analysis;
use mltrainer_catalogue_core::{Ask, Design, FitError, SeriesTable};
use mltrainer_compliance::{
    Admissible, Arrival, Content, Digest, Gate, Inspection, QualityReport, Verified,
};
use ndarray::Array2;
use serde_json::Value;
use std::collections::BTreeMap;

/// Columns of numbers with names.
struct Sheet(Vec<(String, Vec<f64>)>);

impl Content for Sheet {
    fn digest(&self, d: &mut Digest) {
        for (name, values) in &self.0 {
            d.text(name).floats(values);
        }
    }
}

impl Admissible for Sheet {
    fn inspect(self) -> Inspection<Self> {
        let rows = self.0[0].1.len() as u64;
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

fn closes() -> Verified<Sheet> {
    let text = include_str!("data/closes.csv");
    let mut lines = text.lines().map(|l| l.split(',').skip(1));
    let names = lines.next().unwrap();
    let mut columns: Vec<(String, Vec<f64>)> = names.map(|n| (n.to_owned(), Vec::new())).collect();
    for line in lines {
        for ((_, values), cell) in columns.iter_mut().zip(line) {
            values.push(cell.parse().unwrap());
        }
    }
    let arrival = Arrival {
        origin: "user_provided".into(),
        request: "closes.csv".into(),
        promised_sha256: None,
        content: Sheet(columns),
    };
    Gate::admit(arrival).map(|a| a.verified).ok().unwrap()
}

fn series(sheet: &Verified<Sheet>, case: &Value) -> Result<Verified<SeriesTable>, FitError> {
    let wanted: Vec<String> = serde_json::from_value(case["columns"].clone()).unwrap();
    let missing: Vec<usize> = serde_json::from_value(case["missing"].clone()).unwrap();
    sheet.derive("series", wanted.join(", "), |sheet| {
        let column = |name: &String| {
            let (_, own) = sheet.0.iter().find(|(n, _)| n == name).unwrap();
            let mut own = own.clone();
            if case["takes"] == "returns" {
                own = own
                    .windows(2)
                    .map(|w| 100.0 * (w[1] / w[0] - 1.0))
                    .collect();
            }
            missing.iter().for_each(|row| own[*row] = f64::NAN);
            own
        };
        let columns: Vec<Vec<f64>> = wanted.iter().map(column).collect();
        let x = Array2::from_shape_fn((columns[0].len(), columns.len()), |(r, c)| columns[c][r]);
        SeriesTable::new(Design::with_missing(x, wanted.clone())?, None)
    })
}

fn numbers(value: &Value) -> Vec<f64> {
    let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Whether a value is what is wanted: values within the tolerance relative to 1 and their size; every n-th
/// or the first values of an array; a root mean square error; an interval.
fn near(got: &Value, want: &Value, tolerance: f64) -> bool {
    if let Some(within) = want.get("within") {
        let (ends, got) = (numbers(within), got.as_f64().unwrap_or(f64::NAN));
        return ends[0] <= got && got <= ends[1];
    }
    if let Some(values) = want
        .get("values")
        .filter(|_| want.get("every").or(want.get("first")).is_some())
    {
        let step = want["every"].as_u64().unwrap_or(1) as usize;
        let all = got.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut picked: Vec<Value> = all.iter().step_by(step).cloned().collect();
        if let Some(first) = want["first"].as_u64() {
            picked.truncate(first as usize);
        }
        let picked = Value::from(picked);
        let Some(most) = want["rms"].as_f64() else {
            return near(&picked, values, tolerance);
        };
        let (a, b) = (numbers(&picked), numbers(values));
        let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
        return a.len() == b.len() && (squares / a.len() as f64).sqrt() <= most;
    }
    match (got, want) {
        (Value::Array(got), Value::Array(want)) => {
            got.len() == want.len() && got.iter().zip(want).all(|(g, w)| near(g, w, tolerance))
        }
        (Value::Object(got), Value::Object(want)) => want
            .iter()
            .all(|(key, want)| near(got.get(key).unwrap_or(&Value::Null), want, tolerance)),
        (Value::Number(got), Value::Number(want)) => {
            let pair = got.as_f64().zip(want.as_f64());
            pair.is_some_and(|(got, want)| (got - want).abs() <= tolerance * (1.0 + want.abs()))
        }
        _ => got == want,
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(300).collect()
}

#[test]
fn the_reference_libraries_agree() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/dependence.json")).unwrap();
    let sheet = closes();
    let still = || 0.0;
    let mut wrong = Vec::new();
    let mut met = BTreeMap::<&str, usize>::new();
    for case in &cases {
        let id = case["model"].as_str().unwrap();
        *met.entry(id).or_default() += 1;
        let resolved = registry().find(id).unwrap();
        let params = case["params"].as_object().unwrap();
        let ask = Ask {
            horizon: 3,
            seed: 0,
        };
        let answer = series(&sheet, case)
            .and_then(|data| run_analysis(&resolved, params, &data, ask, &still));
        let outputs = match answer {
            Ok(answer) => answer.outputs,
            Err(e) => {
                wrong.push(format!("{}: {e}", case["source"]));
                continue;
            }
        };
        let tolerance = case["tolerance"].as_f64().unwrap();
        for (key, want) in case["expect"].as_object().unwrap() {
            let got = outputs.get(key).unwrap_or(&Value::Null);
            if !near(got, want, tolerance) {
                let (got, want) = (shown(got), shown(want));
                wrong.push(format!(
                    "{} {key}:\n   got {got}\n  want {want}",
                    case["source"]
                ));
            }
        }
        for (key, bound) in case["at_least"].as_object().unwrap() {
            let (bound, got) = (numbers(bound), outputs[key].as_f64().unwrap_or(f64::NAN));
            // More than a little above is another likelihood, not a better maximum.
            if !(got >= bound[0] - bound[1] && got <= bound[0] + 0.02 * bound[0].abs()) {
                wrong.push(format!(
                    "{} {key}: got {got}, want at least {}",
                    case["source"], bound[0]
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Every entry that the file is for has cases.
    assert_eq!(met.len(), 19, "{met:?}");
}

/// One run on columns made of the closes.
fn run_on(id: &str, columns: &[Vec<f64>]) -> Result<(), String> {
    let sheet = closes();
    let data = sheet.derive("series", "bent", |_| {
        let x = Array2::from_shape_fn((columns[0].len(), columns.len()), |(r, c)| columns[c][r]);
        let names = (0..columns.len()).map(|k| format!("c{k}")).collect();
        SeriesTable::new(Design::new(x, names)?, None)
    });
    let data = data.map_err(|e: FitError| e.to_string())?;
    let ask = Ask {
        horizon: 1,
        seed: 0,
    };
    let resolved = registry().find(id).unwrap();
    let empty = serde_json::Map::new();
    run_analysis(&resolved, &empty, &data, ask, &|| 0.0)
        .map(|_| ())
        .map_err(|e| e.to_string())
}

/// Constant, short and collinear series get a sentence that says what is wrong.
#[test]
fn unusable_series_are_refused_in_words() {
    let sheet = closes();
    let close = sheet.get().0[0].1.clone();
    let flat = vec![5.0; close.len()];
    let twice: Vec<f64> = close.iter().map(|v| 2.0 * v + 1.0).collect();
    let line: Vec<f64> = (0..200).map(f64::from).collect();
    let few = close[..3].to_vec();
    for (id, columns, words) in [
        ("adf", vec![flat.clone()], "constant"),
        ("adf", vec![line.clone()], "straight line"),
        ("adf", vec![few.clone()], "too few"),
        ("kpss", vec![flat.clone()], "constant"),
        ("ljung_box", vec![flat.clone()], "constant"),
        (
            "breusch_pagan",
            vec![close.clone(), flat.clone()],
            "combination",
        ),
        (
            "breusch_pagan",
            vec![vec![0.0; close.len()], close.clone()],
            "all 0",
        ),
        (
            "engle_granger",
            vec![close.clone(), twice.clone()],
            "almost without a remainder",
        ),
        (
            "engle_granger",
            vec![close.clone(), flat.clone()],
            "constant",
        ),
        (
            "johansen",
            vec![close.clone(), twice.clone()],
            "combinations",
        ),
        (
            "johansen",
            vec![few.clone(), close[3..6].to_vec()],
            "too few",
        ),
        (
            "granger_causality",
            vec![close.clone(), close.clone()],
            "combination",
        ),
        (
            "granger_causality",
            vec![few.clone(), few.clone()],
            "too few",
        ),
        (
            "mutual_information",
            vec![close.clone(), flat.clone()],
            "constant",
        ),
        (
            "transfer_entropy",
            vec![flat.clone(), close.clone()],
            "constant",
        ),
        (
            "network_analysis",
            vec![close.clone(), twice.clone(), flat.clone()],
            "does not vary",
        ),
        ("emd", vec![few.clone()], "too few"),
        ("garch", vec![flat.clone()], "does not vary"),
        ("garch", vec![few.clone()], "too few"),
        ("egarch", vec![few.clone()], "too few"),
        ("hmm", vec![flat], "does not vary"),
        ("hmm", vec![few], "too few"),
        (
            "particle_filter",
            vec![line.iter().map(|v| 1e200 * (1.0 + v)).collect()],
            "no particle",
        ),
    ] {
        let refused = run_on(id, &columns).unwrap_err();
        assert!(refused.contains(words), "{id}: {refused}");
    }
}
