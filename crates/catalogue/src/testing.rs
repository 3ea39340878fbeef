//! Small tables for the tests of entries.

use mltrainer_catalogue_core::{Design, Training};
use ndarray::Array2;

/// A table from rows; columns are named a, b, c, ...
pub(crate) fn design(rows: &[&[f64]]) -> Design {
    let columns = rows.first().map_or(0, |r| r.len());
    let flat: Vec<f64> = rows.iter().flat_map(|r| r.iter().copied()).collect();
    let x = Array2::from_shape_vec((rows.len(), columns), flat).unwrap();
    let names = ('a'..='z').take(columns).map(String::from).collect();
    Design::new(x, names).unwrap()
}

/// A regression problem from rows.
pub(crate) fn table(rows: &[&[f64]], y: &[f64]) -> Training {
    Training::regression(design(rows), y.to_vec()).unwrap()
}

/// A classification problem from rows.
pub(crate) fn classes(rows: &[&[f64]], y: &[f64]) -> Training {
    Training::classification(design(rows), y.to_vec()).unwrap()
}

/// Seven rows in two groups and one apart, and weights of them.
pub(crate) fn weighed_rows() -> (Design, Vec<f64>) {
    let rows: [&[f64]; 7] = [
        &[0.0, 0.0],
        &[1.0, 0.0],
        &[0.0, 2.0],
        &[8.0, 8.0],
        &[9.0, 8.0],
        &[8.0, 10.0],
        &[20.0, 0.0],
    ];
    (design(&rows), vec![1.0, 2.0, 0.5, 1.0, 3.0, 0.5, 0.25])
}

/// 24 rows of four columns that run through remainders, for comparisons with values computed elsewhere.
pub(crate) fn remainders() -> Vec<Vec<f64>> {
    let left = |v: u32, by: u32| f64::from(v % by);
    (0..24)
        .map(|i| {
            vec![
                left(i * i, 17),
                left(i * 5, 11) + 0.5 * f64::from(i),
                left(i * 7, 13) / 4.0,
                left(i * i * i, 19) / 8.0 + left(i, 3),
            ]
        })
        .collect()
}

/// Three columns of those rows, the first and the third the same; y = 2 a - b + (row mod 5).
pub(crate) fn first_column_twice() -> Training {
    let rows: Vec<[f64; 3]> = remainders()
        .into_iter()
        .map(|r| [r[0], r[1], r[0]])
        .collect();
    let rows: Vec<&[f64]> = rows.iter().map(|r| &r[..]).collect();
    let y: Vec<f64> = rows
        .iter()
        .enumerate()
        .map(|(i, r)| 2.0 * r[0] - r[1] + (i % 5) as f64)
        .collect();
    table(&rows, &y)
}

/// Eighths below 12.125 that run through remainders, by row and column, for comparisons with values computed
/// elsewhere.
pub(crate) fn eighths(i: usize, j: usize) -> f64 {
    ((i * (17 + 6 * j) + j * 29 + (i * i) % (11 + j)) % 97) as f64 / 8.0
}

/// 300 rows of five columns of [`eighths`], and a target in which the first two of them meet.
pub(crate) fn products() -> (Array2<f64>, Vec<f64>) {
    let x = Array2::from_shape_fn((300, 5), |(i, j)| eighths(i, j));
    let y = (0..300)
        .map(|i| ((i * 31) % 53) as f64 / 16.0 + x[[i, 0]] * x[[i, 1]] / 16.0 - x[[i, 2]] / 4.0)
        .collect();
    (x, y)
}

/// Every entry is within `tolerance` of what is wanted, relative to it or absolutely.
#[track_caller]
pub(crate) fn assert_near(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            (g - w).abs() <= tolerance * (1.0 + w.abs()),
            "[{i}]: {g} is not {w}"
        );
    }
}
