//! A second opinion from linfa: its coordinate descent and ours solve the same problems.

use linfa::Dataset;
use linfa::traits::Fit as _;
use linfa_elasticnet::ElasticNet;
use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::conformance::Suite;
use ndarray::{Array1, Array2};
use serde_json::json;

/// Rows before this are training rows.
const TRAIN: usize = 208;

/// Columns of the table that are no features: the last four.
const FEATURES: usize = 5;

fn rows() -> (Array2<f64>, Array1<f64>) {
    let text = include_str!("data/spx.csv");
    let cells: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .take(TRAIN)
        .map(|line| {
            line.split(',')
                .skip(1)
                .map(|c| c.parse().unwrap())
                .collect()
        })
        .collect();
    (
        Array2::from_shape_fn((TRAIN, FEATURES), |(r, c)| cells[r][c]),
        // After the features: last_value, last_label, target, label.
        Array1::from_shape_fn(TRAIN, |r| cells[r][FEATURES + 2]),
    )
}

#[test]
fn elastic_net_agrees_with_linfa() {
    let suite = Suite::new(include_str!("data/spx.csv"), include_str!("data/ibm.csv")).unwrap();
    let entry = registry().find("elastic_net").unwrap();
    let (x, y) = rows();
    for (alpha, l1_ratio) in [(0.01, 0.5), (0.05, 0.9), (0.2, 0.3)] {
        let theirs = ElasticNet::params()
            .penalty(alpha)
            .l1_ratio(l1_ratio)
            .tolerance(1e-12)
            .max_iterations(100_000)
            .fit(&Dataset::new(x.clone(), y.clone()))
            .unwrap();
        let given = json!({ "alpha": alpha, "l1_ratio": l1_ratio });
        let ours = suite
            .run(&entry, given.as_object().unwrap(), "regression", TRAIN)
            .unwrap();
        for (j, want) in theirs.hyperplane().iter().enumerate() {
            let got = ours.outputs["coefficients"][j].as_f64().unwrap();
            assert!(
                (got - want).abs() < 1e-6,
                "alpha {alpha}, l1_ratio {l1_ratio}, column {j}: {got}, linfa {want}"
            );
        }
    }
}
