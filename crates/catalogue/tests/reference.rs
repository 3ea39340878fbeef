//! Numbers of scikit-learn and TA-Lib on the real rows in `data`: the calls are in `expected.json`.

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::conformance::Suite;
use serde_json::Value;

/// Rows before this are training rows.
const TRAIN: usize = 208;

fn near(got: &Value, want: &Value, tolerance: f64) -> bool {
    match (got, want) {
        (Value::Array(got), Value::Array(want)) => {
            got.len() == want.len() && got.iter().zip(want).all(|(g, w)| near(g, w, tolerance))
        }
        (Value::Number(got), Value::Number(want)) => {
            let pair = got.as_f64().zip(want.as_f64());
            pair.is_some_and(|(got, want)| (got - want).abs() <= tolerance * (1.0 + want.abs()))
        }
        _ => got == want,
    }
}

#[test]
fn the_reference_libraries_agree() {
    let suite = Suite::new(
        include_str!("data/spx.csv"),
        include_str!("data/ibm.csv"),
        include_str!("data/closes.csv"),
    )
    .unwrap();
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/expected.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let resolved = registry().find(case["model"].as_str().unwrap()).unwrap();
        let params = case["params"].as_object().unwrap();
        let task = case["task"].as_str().unwrap();
        let answer = match suite.run(&resolved, params, task, TRAIN) {
            Ok(answer) => answer,
            Err(e) => {
                wrong.push(format!("{}: {e}", case["source"]));
                continue;
            }
        };
        for (path, want) in case["expect"].as_object().unwrap() {
            let pointer = format!("/{}", path.replace('.', "/"));
            let outputs = Value::Object(answer.outputs.clone());
            let got = outputs.pointer(&pointer).unwrap_or(&Value::Null);
            if !near(got, want, case["tolerance"].as_f64().unwrap()) {
                wrong.push(format!("{} {path}: got {got}, want {want}", case["source"]));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        cases.len()
    );
}
