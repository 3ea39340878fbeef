//! Last known value.
//!
//! What: the forecast of a random walk. The value of the target quantity as last known is forecast
//! for every horizon; for labels, the last known label.
//! Formula: ŷ(t+h) = y(t).
//! Data: one column, the value as last known at each row; or one series.
//! Cost: O(n).
//! Fails when: the quantity returns to a mean, or has a season.
//! Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice (2021), 5.2.
//! Not claimed: skill. It is the yardstick.

use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Forecaster, Inputs, Outputs, Prediction, Predictor, Supervised,
    Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct NaiveLast;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<NaiveLast>().with_forecast::<NaiveLast>();

params! {
    /// There are no parameters.
    pub struct NaiveLastParams {}
}

/// Fitted state: the labels there are; empty for regression.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    classes: Vec<i64>,
}

const CARD: Card = Card {
    id: "naive_last",
    family: "baseline",
    title: "Last known value",
    tasks: &[Task::Regression, Task::Classification, Task::Forecasting],
    inputs: Inputs::LastKnown,
    summary: "Forecasts the value (or label) of the target quantity as last known: the forecast of a random walk, and the baseline that most models of prices do not beat.",
    formula: "ŷ(t+h) = y(t), for every h; probability 1 for the last known label",
    data: "One column: the target quantity as last known at each row. Or one series.",
    cost: "fit O(n), predict O(n)",
    fails_when: "The quantity returns to a mean or has a season; as a classifier it is certain, so its log loss is large whenever it errs.",
    not_claimed: "Any skill: it is what others are measured against.",
    source: "R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice, 3rd ed. (2021), section 5.2, naive method",
    reference: "statsmodels 0.15, SimpleExpSmoothing with alpha = 1",
    outputs: &[],
    stochastic: false,
    evidence: &[Evidence {
        against: "Hyndman & Athanasopoulos (2021), section 5.2",
        cases: "unit tests: the column itself, the last value repeated",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for NaiveLast {
    type Params = NaiveLastParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(_: &NaiveLastParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        if data.design().columns() != 1 {
            return Err(FitError::Data(format!(
                "naive_last takes one column, the target as last known; the table has {} ({})",
                data.design().columns(),
                data.design().names().join(", ")
            )));
        }
        let Some(labels) = data.labels() else {
            return Ok(Fitted {
                classes: Vec::new(),
            });
        };
        let mut classes = labels.classes.clone();
        for &v in data.x() {
            if v.fract() != 0.0 {
                return Err(FitError::Data(format!(
                    "column \"{}\": {v} is not a label, the last known label must be a whole number",
                    data.design().names()[0]
                )));
            }
            classes.push(v as i64);
        }
        classes.sort_unstable();
        classes.dedup();
        Ok(Fitted { classes })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let last = x.column(0);
        if self.classes.is_empty() {
            return Ok(Prediction::values(last.to_vec()));
        }
        let mut p = Array2::zeros((x.nrows(), self.classes.len()));
        for (row, v) in last.iter().enumerate() {
            let Some(k) = self.classes.iter().position(|c| *c as f64 == *v) else {
                return Err(FitError::Data(format!(
                    "row {}: label {v} was not among those of training",
                    row + 1
                )));
            };
            p[[row, k]] = 1.0;
        }
        Ok(Prediction::probabilities(p, self.classes.clone()))
    }

    fn outputs(&self) -> Outputs {
        Outputs::new()
    }
}

impl Forecaster for NaiveLast {
    type Params = NaiveLastParams;

    fn forecast(_: &NaiveLastParams, y: &[f64], horizon: usize) -> Result<Outputs, FitError> {
        let last = y.last().copied().unwrap_or(f64::NAN);
        Ok(Outputs::from_iter([(
            "forecast".to_owned(),
            run::numbers(&vec![last; horizon]),
        )]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;
    use serde_json::json;

    #[test]
    fn gives_the_column_back() {
        let data = table(&[&[3.0], &[1.5]], &[9.0, 9.0]);
        let fitted = NaiveLast::fit(&NaiveLastParams {}, &data, 0).unwrap();
        assert_eq!(fitted.predict(data.x().view()).unwrap().values, [3.0, 1.5]);
        let wide = table(&[&[3.0, 1.0]], &[9.0]);
        let refused = NaiveLast::fit(&NaiveLastParams {}, &wide, 0).unwrap_err();
        assert!(refused.to_string().contains("takes one column"));
    }

    #[test]
    fn repeats_the_last_value() {
        let outputs = NaiveLast::forecast(&NaiveLastParams {}, &[1.0, 4.0, 2.5], 3).unwrap();
        assert_eq!(outputs["forecast"], json!([2.5, 2.5, 2.5]));
    }
}
