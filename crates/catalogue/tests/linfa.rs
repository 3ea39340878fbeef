//! A second opinion from linfa: its coordinate descent and ours solve the same problems.

use linfa::Dataset;
use linfa::traits::Fit as _;
use linfa_elasticnet::ElasticNet;
use mltrainer_catalogue::registry;
use mltrainer_catalogue_core::conformance::Suite;
use ndarray::{Array1, Array2, Axis};
use serde_json::json;

/// Rows before this are training rows.
const TRAIN: usize = 208;

/// Columns of the table that are features; behind them stand last_value, last_label, target, label.
const FEATURES: usize = 5;

#[test]
fn elastic_net_agrees_with_linfa() {
    let table = include_str!("data/spx.csv");
    let suite = Suite::new(
        table,
        include_str!("data/ibm.csv"),
        include_str!("data/closes.csv"),
    )
    .unwrap();
    let entry = registry().find("elastic_net").unwrap();
    let cells: Vec<Vec<f64>> = table
        .lines()
        .skip(1)
        .take(TRAIN)
        .map(|line| {
            let cells = line.split(',').skip(1);
            cells.map(|c| c.parse().unwrap()).collect()
        })
        .collect();
    let x = Array2::from_shape_fn((TRAIN, FEATURES), |(r, c)| cells[r][c]);
    let y = Array1::from_shape_fn(TRAIN, |r| cells[r][FEATURES + 2]);
    // linfa takes the mean of y alone for its intercept: both are centred here, as ours does.
    let x = &x - &x.mean_axis(Axis(0)).unwrap();
    let y = &y - y.mean().unwrap();
    for (alpha, l1_ratio) in [(0.01, 0.5), (0.05, 0.9), (0.2, 0.3)] {
        let theirs = ElasticNet::params()
            .penalty(alpha)
            .l1_ratio(l1_ratio)
            .with_intercept(false)
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
