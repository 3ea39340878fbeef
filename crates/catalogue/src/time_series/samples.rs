//! Series and runs for the tests of this family.

use mltrainer_catalogue_core::{Analysis, Ask, Design, Outputs, Params as _, SeriesTable};
use ndarray::Array2;
use serde_json::{Map, Value};

/// A table of one series without dates.
pub(crate) fn series(y: &[f64]) -> SeriesTable {
    columns(&[("y", y)])
}

/// A table of named series without dates.
pub(crate) fn columns(all: &[(&str, &[f64])]) -> SeriesTable {
    let x = Array2::from_shape_fn((all[0].1.len(), all.len()), |(r, c)| all[c].1[r]);
    let names = all.iter().map(|(n, _)| (*n).to_owned()).collect();
    SeriesTable::new(Design::new(x, names).unwrap(), None).unwrap()
}

/// The outputs of an entry with parameters as on the command line.
#[track_caller]
pub(crate) fn run<M: Analysis>(
    set: &[(&str, &str)],
    data: &SeriesTable,
    horizon: usize,
) -> Outputs {
    tried::<M>(set, data, horizon).unwrap()
}

/// The same, with the error as text.
pub(crate) fn tried<M: Analysis>(
    set: &[(&str, &str)],
    data: &SeriesTable,
    horizon: usize,
) -> Result<Outputs, String> {
    let map: Map<String, Value> = set
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Value::from(*v)))
        .collect();
    let params = M::Params::from_map(&map).map_err(|e| e.to_string())?;
    M::analyse(&params, data, Ask { horizon, seed: 0 }).map_err(|e| e.to_string())
}

/// An array of numbers.
#[track_caller]
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let all = value.as_array().unwrap().iter();
    all.map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}
