//! The test of columns of categories that programs of boosted trees share.

use crate::testing::assert_near;
use mltrainer_catalogue_core::{Design, Foreign, Params as _, Predictor, Training};
use ndarray::{Array2, Axis, arr1};
use serde_json::Value;

/// Categories of the first column, whether the target is cut into labels above its 301st value of 600, and
/// whether row i weighs (7 i mod 11 + 1) / 4.
pub(super) type Case = (usize, bool, bool);

/// 600 rows: a category of `many`, missing in some rows, a number, and the target.
fn table(many: usize) -> (Array2<f64>, Vec<f64>) {
    let category = |i: usize| (i * i * 7 + i * 3 + i / 5) % many;
    let number = |i: usize| ((i * 17 + (i * i) % 11) % 97) as f64 / 8.0;
    let x = Array2::from_shape_fn((600, 2), |(i, j)| match (i, j) {
        (i, 0) if i % 29 == 7 => f64::NAN,
        (i, 0) => category(i) as f64,
        _ => number(i),
    });
    let y = (0..600).map(|i| {
        let sign = if category(i) % 2 == 0 { 0.25 } else { -0.25 };
        ((category(i) * 5) % 9) as f64 / 2.0 + sign * number(i) + ((i * 31) % 53) as f64 / 16.0
    });
    (x, y.collect())
}

/// Fits the table and compares its answers, and those of a model written to a file and read again: the first
/// four rows, a category that training did not have, and none.
pub(super) fn assert_as_the_program<M: Foreign>(
    (many, labels, weighed): Case,
    given: &Value,
    want: &[f64],
    near: f64,
) where
    M::Fitted: Predictor,
{
    let (x, y) = table(many);
    let design = Design::with_missing(x.clone(), vec!["a".into(), "b".into()]).unwrap();
    let mut data = if labels {
        let mut sorted = y.clone();
        sorted.sort_by(f64::total_cmp);
        let codes = y.iter().map(|y| f64::from(u8::from(*y > sorted[300])));
        Training::classification(design, codes.collect()).unwrap()
    } else {
        Training::regression(design, y).unwrap()
    };
    if weighed {
        let weights = (0..600).map(|i| ((i * 7) % 11 + 1) as f64 / 4.0).collect();
        data = data.with_weights(weights).unwrap();
    }
    let params = M::Params::from_map(given.as_object().unwrap()).unwrap();
    let fitted = M::fit(&params, &data, 0).unwrap();
    let mut some = x.slice_axis(Axis(0), (..6).into()).to_owned();
    some.row_mut(4).assign(&arr1(&[many as f64 + 1.0, 1.0]));
    some.row_mut(5).assign(&arr1(&[f64::NAN, 1.0]));
    let answers = |fitted: &M::Fitted| {
        let said = fitted.predict(some.view()).unwrap();
        match said.probabilities {
            Some(p) => p.column(1).to_vec(),
            None => said.values,
        }
    };
    assert_near(&answers(&fitted), want, near);
    let text = M::write_foreign(&fitted, 2).unwrap();
    let (back, _) = M::read_foreign(&text).unwrap();
    assert_near(&answers(&back), &answers(&fitted), near);
}
