//! Trees on the real rows in `data` with every eleventh value taken out: numbers of scikit-learn, whose
//! calls are in `missing.json`.

use mltrainer_catalogue::tree::decision_tree::{DecisionTree, TreeParams};
use mltrainer_catalogue_core::{Design, Params as _, Predictor as _, Supervised as _, Training};
use ndarray::Array2;
use serde_json::Value;

/// Rows before this are training rows.
const TRAIN: usize = 208;

#[test]
fn trees_split_columns_with_gaps_as_scikit_learn_does() {
    let text = include_str!("data/spx.csv");
    let cells: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|l| l.split(',').skip(1).map(|c| c.parse().unwrap()).collect())
        .collect();
    let x = |rows: std::ops::Range<usize>| {
        let from = rows.start;
        let values = Array2::from_shape_fn((rows.len(), 5), |(i, j)| {
            let row = from + i;
            let gap = (7 * row + 3 * j) % 11 == 0;
            if gap { f64::NAN } else { cells[row][j] }
        });
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        Design::with_missing(values, names).unwrap()
    };
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/missing.json")).unwrap();
    assert!(cases.len() >= 5);
    for case in &cases {
        let task = case["task"].as_str().unwrap();
        let y: Vec<f64> = cells[..TRAIN]
            .iter()
            .map(|c| match task {
                "regression" => c[7],
                "positive" => (c[7] + 5.0).exp(),
                "classification" => c[8],
                _ => c[8] + c[6],
            })
            .collect();
        let labels = ["classification", "three"].contains(&task);
        let mut data = if labels {
            Training::classification(x(0..TRAIN), y).unwrap()
        } else {
            Training::regression(x(0..TRAIN), y).unwrap()
        };
        if case["weights"] == true {
            let weights = (0..TRAIN).map(|i| [0.5, 2.0, 1.0][i % 3]).collect();
            data = data.with_weights(weights).unwrap();
        }
        let params = TreeParams::from_map(case["params"].as_object().unwrap()).unwrap();
        let tree = DecisionTree::fit(&params, &data, 0).unwrap();
        let source = case["source"].as_str().unwrap();
        assert_eq!(tree.outputs()["n_leaves"], case["n_leaves"], "{source}");
        let said = tree.predict(x(TRAIN..cells.len()).x().view()).unwrap();
        let got = match &said.probabilities {
            Some(p) => p.column(p.ncols() - 1).to_vec(),
            None => said.values,
        };
        let want = case["last"].as_array().unwrap();
        assert_eq!(got.len(), want.len());
        for (g, w) in got.iter().zip(want) {
            let w = w.as_f64().unwrap();
            assert!(
                (g - w).abs() < 1e-9 * (1.0 + w.abs()),
                "{source}: {g} is not {w}"
            );
        }
    }
}
