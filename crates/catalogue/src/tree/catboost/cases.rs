//! The table that tests of CatBoost's ways to grow share.

use super::{CatBoost, CatBoostParams, Fitted};
pub(super) use crate::testing::products as table;
use mltrainer_catalogue_core::{Design, Params as _, Supervised as _, Training};
use ndarray::Array2;

/// A fit of the table without draws, three trees of rate 0.3 unless other parameters are given: of "numbers", the
/// same "weighed", "positive" powers of them, or "labels2" or "labels3" cut from these.
pub(super) fn fitted(given: serde_json::Value, kind: &str) -> Result<Fitted, String> {
    fitted_with(given, kind).map(|(fitted, _)| fitted)
}

/// The same, and the columns; of "one cut" the first one is whether it is above 6.
pub(super) fn fitted_with(
    mut given: serde_json::Value,
    kind: &str,
) -> Result<(Fitted, Array2<f64>), String> {
    let (mut x, y) = table();
    if kind == "one cut" {
        x.column_mut(0)
            .mapv_inplace(|v| f64::from(u8::from(v > 6.0)));
    }
    for (name, value) in [
        ("n_estimators", 3.0),
        ("learning_rate", 0.3),
        ("random_strength", 0.0),
    ] {
        if given.get(name).is_none() {
            given[name] = value.into();
        }
    }
    if given.get("bootstrap_type").is_none() {
        given["bootstrap_type"] = "No".into();
    }
    let params = CatBoostParams::from_map(given.as_object().unwrap()).unwrap();
    let design = Design::new(x.clone(), ('a'..='e').map(String::from).collect()).unwrap();
    let above = |cuts: &[f64]| -> Vec<f64> {
        let label = |y: &f64| cuts.iter().filter(|c| *y > **c).count() as f64;
        y.iter().map(label).collect()
    };
    let data = match kind {
        "labels3" => Training::classification(design, above(&[0.5, 3.0])),
        "labels2" => Training::classification(design, above(&[2.04])),
        "positive" => Training::regression(design, y.iter().map(|y| (y / 4.0).exp()).collect()),
        _ => Training::regression(design, y),
    };
    let mut data = data.unwrap();
    if kind == "weighed" {
        let weights = (0..300).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0);
        data = data.with_weights(weights.collect()).unwrap();
    }
    let fitted = CatBoost::fit(&params, &data, 0).map_err(|e| e.to_string())?;
    Ok((fitted, x))
}
