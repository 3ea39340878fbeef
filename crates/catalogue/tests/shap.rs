//! SHAP values of the reference programs on the real rows in `data`: the calls are in `shap.json`.

use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::conformance::Suite;
use mltrainer_catalogue_core::run::Extras;
use serde_json::Value;

/// Rows before this are training rows.
const TRAIN: usize = 208;

/// The first pair of numbers that are not within `tolerance` of each other.
fn apart(got: &Value, want: &Value, tolerance: f64) -> Option<String> {
    match (got, want) {
        (Value::Array(g), Value::Array(w)) if g.len() == w.len() => {
            g.iter().zip(w).find_map(|(g, w)| apart(g, w, tolerance))
        }
        (Value::Object(g), Value::Object(w)) if g.len() == w.len() => w
            .iter()
            .find_map(|(k, w)| apart(g.get(k).unwrap_or(&Value::Null), w, tolerance)),
        (Value::Number(g), Value::Number(w)) => {
            let (g, w) = (g.as_f64().unwrap(), w.as_f64().unwrap());
            let near = (g - w).abs() <= tolerance * (1.0 + w.abs());
            (!near).then(|| format!("got {g}, want {w}"))
        }
        (g, w) => (g != w).then(|| format!("got {g}, want {w}")),
    }
}

#[test]
fn the_reference_programs_agree() {
    let suite = Suite::new(
        include_str!("data/spx.csv"),
        include_str!("data/ibm.csv"),
        include_str!("data/closes.csv"),
    )
    .unwrap();
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/shap.json")).unwrap();
    assert!(cases.len() >= 15);
    let more = Extras {
        shap: true,
        ..Extras::default()
    };
    let mut wrong = Vec::new();
    for case in &cases {
        let resolved = registry().find(case["model"].as_str().unwrap()).unwrap();
        let params = case["params"].as_object().unwrap();
        let task = case["task"].as_str().unwrap();
        let source = case["source"].as_str().unwrap();
        let answer = match suite.explain(&resolved, params, task, TRAIN, &more) {
            Ok(answer) => answer,
            Err(e) => {
                wrong.push(format!("{source}: {e}"));
                continue;
            }
        };
        for name in ["shap_of", "shap_base_value", "shap_values"] {
            let got = answer.outputs.get(name).unwrap_or(&Value::Null);
            let tolerance = case["tolerance"].as_f64().unwrap();
            if let Some(how) = apart(got, &case[name], tolerance) {
                wrong.push(format!("{source} {task} {name}: {how}"));
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
