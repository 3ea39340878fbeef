//! Mean of the training rows.
//!
//! What: the mean of the training target for every row; for labels, their shares.
//! Formula: ŷ = (1/n) Σ y.
//! Data: any table or series; the columns are not looked at.
//! Cost: O(n).
//! Fails when: the level moves.
//! Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice (2021), 5.2.
//! Not claimed: skill. It is the yardstick: r² is measured against it.

use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Forecaster, Inputs, Outputs, Prediction, Predictor, Supervised,
    Training, params, run,
};
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct NaiveMean;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<NaiveMean>().with_forecast::<NaiveMean>();

params! {
    /// There are no parameters.
    pub struct NaiveMeanParams {}
}

/// Fitted state: the mean, or labels and their shares.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    mean: f64,
    classes: Vec<i64>,
    shares: Vec<f64>,
}

const CARD: Card = Card {
    id: "naive_mean",
    family: "baseline",
    title: "Mean of the training rows",
    tasks: &[Task::Regression, Task::Classification, Task::Forecasting],
    inputs: Inputs::Features,
    summary: "Forecasts the mean of the training target, or the shares of the labels, whatever the features say.",
    formula: "ŷ = (1/n) Σᵢ yᵢ; P(k) = #{i: yᵢ = k}/n",
    data: "Any table with a target (the columns are not looked at), or one series.",
    cost: "fit O(n), predict O(rows)",
    fails_when: "The level of the quantity moves: the mean of the past is then far from the present.",
    not_claimed: "Any skill: r² on new rows is 0 by construction when the level does not move.",
    source: "R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice, 3rd ed. (2021), section 5.2, mean method",
    reference: "scikit-learn 1.9.1, DummyRegressor(strategy=\"mean\"), DummyClassifier(strategy=\"prior\")",
    outputs: &[(
        "mean",
        "mean of the training target (of the labels, as numbers, for classification)",
    )],
    stochastic: false,
    evidence: &[Evidence {
        against: "Hyndman & Athanasopoulos (2021), section 5.2",
        cases: "unit tests: mean and shares by hand",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for NaiveMean {
    type Params = NaiveMeanParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(_: &NaiveMeanParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        let (classes, shares) = data.labels().map_or_else(Default::default, |labels| {
            let n = labels.codes.len() as f64;
            let mut shares = vec![0.0; labels.classes.len()];
            for &k in &labels.codes {
                shares[k] += 1.0 / n;
            }
            (labels.classes.clone(), shares)
        });
        Ok(Fitted {
            mean: mean(data.y()),
            classes,
            shares,
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        if self.classes.is_empty() {
            return Ok(Prediction::values(vec![self.mean; x.nrows()]));
        }
        let p = Array2::from_shape_fn((x.nrows(), self.shares.len()), |(_, k)| self.shares[k]);
        Ok(Prediction::probabilities(p, self.classes.clone()))
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([("mean".to_owned(), self.mean.into())])
    }
}

impl Forecaster for NaiveMean {
    type Params = NaiveMeanParams;

    fn forecast(_: &NaiveMeanParams, y: &[f64], horizon: usize) -> Result<Outputs, FitError> {
        let mean = mean(y);
        Ok(Outputs::from_iter([
            ("forecast".to_owned(), run::numbers(&vec![mean; horizon])),
            ("mean".to_owned(), mean.into()),
        ]))
    }
}

fn mean(y: &[f64]) -> f64 {
    y.iter().sum::<f64>() / y.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{classes, table};
    use serde_json::json;

    #[test]
    fn mean_and_shares_by_hand() {
        let data = table(&[&[0.0], &[0.0], &[0.0]], &[1.0, 2.0, 6.0]);
        let fitted = NaiveMean::fit(&NaiveMeanParams {}, &data, 0).unwrap();
        assert_eq!(fitted.predict(data.x().view()).unwrap().values, [3.0; 3]);

        let data = classes(&[&[0.0], &[0.0], &[0.0], &[0.0]], &[1.0, 0.0, 1.0, 1.0]);
        let fitted = NaiveMean::fit(&NaiveMeanParams {}, &data, 0).unwrap();
        let p = fitted.predict(data.x().view()).unwrap();
        assert_eq!(p.values, [1.0; 4]);
        assert_eq!(p.probabilities.unwrap().row(0).to_vec(), [0.25, 0.75]);
    }

    #[test]
    fn forecasts_the_mean() {
        let outputs = NaiveMean::forecast(&NaiveMeanParams {}, &[1.0, 2.0, 6.0], 2).unwrap();
        assert_eq!(outputs["forecast"], json!([3.0, 3.0]));
    }
}
