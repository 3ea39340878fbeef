//! New model: its one-line name.
//!
//! What: so far a share of the mean of the training target, for every row. Replace the method, this
//! text and the card; keep the order of the file.
//! Formula: ŷ = share · (1/n) Σ y.
//! Data: any table with a numeric target; the columns are not looked at.
//! Cost: O(n).
//! Fails when: the level moves.
//! Source: author, title (year), page.
//! Not claimed: any skill.

use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct NewModel;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<NewModel>();

params! {
    /// Every parameter changes some output; its range is checked before the fit.
    pub struct NewModelParams {
        /// Share of the mean that is forecast.
        share: f64 = 1.0, within(0.0, 1.0);
    }
}

/// Fitted state: what `predict` needs and nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    level: f64,
}

const CARD: Card = Card {
    id: "new_model",
    family: "new_family",
    title: "New model (not written yet)",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Not written yet: the template of an entry. It forecasts a share of the mean of the training target, whatever the features say.",
    formula: "ŷ = share · (1/n) Σᵢ yᵢ",
    data: "Any table with a numeric target; the columns are not looked at.",
    cost: "fit O(n), predict O(rows)",
    fails_when: "The level of the quantity moves: the mean of the past is then far from the present.",
    not_claimed: "Any skill: it is a template to be replaced.",
    source: "own rule, stated in the formula",
    reference: "own rule, stated in the formula",
    outputs: &[(
        "level",
        "the value that is forecast, in units of the target",
    )],
    stochastic: false,
    evidence: &[Evidence {
        against: "the formula",
        cases: "unit test: share and mean by hand",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for NewModel {
    type Params = NewModelParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    /// The data are finite and of matching shape: begin with mathematics.
    fn fit(params: &NewModelParams, data: &Training, _: u64) -> Result<Fitted, FitError> {
        Ok(Fitted {
            level: params.share * mean(data.y()),
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction::values(vec![self.level; x.nrows()]))
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([("level".to_owned(), self.level.into())])
    }
}

fn mean(y: &[f64]) -> f64 {
    y.iter().sum::<f64>() / y.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;

    #[test]
    fn share_and_mean_by_hand() {
        // (1 + 2 + 6) / 3 = 3, half of it is 1.5. Expected values come from outside the code.
        let data = table(&[&[0.0], &[0.0], &[0.0]], &[1.0, 2.0, 6.0]);
        let fitted = NewModel::fit(&NewModelParams { share: 0.5 }, &data, 0).unwrap();
        assert_eq!(
            fitted.predict(data.x().view()).unwrap().values,
            [1.5, 1.5, 1.5]
        );
    }
}
