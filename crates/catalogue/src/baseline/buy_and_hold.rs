//! Buy and hold.
//!
//! What: long at every row, whatever the data. It states a position and no forecast.
//! Formula: position = 1.
//! Data: any table; the columns are not looked at.
//! Cost: O(rows).
//! Fails when: the market falls.
//! Source: Malkiel, A Random Walk Down Wall Street (1973).
//! Not claimed: a forecast, or skill. It is what a trading rule must beat after costs.

use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Outputs, Prediction, Predictor, Supervised, Training, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct BuyAndHold;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<BuyAndHold>();

params! {
    /// There are no parameters.
    pub struct BuyAndHoldParams {}
}

/// Nothing is learned.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {}

const CARD: Card = Card {
    id: "buy_and_hold",
    family: "baseline",
    title: "Buy and hold",
    tasks: &[Task::Signal],
    inputs: Inputs::Features,
    summary: "Holds the asset at every row. It states a position and no forecast, and is the baseline of every trading rule.",
    formula: "position(t) = 1",
    data: "Any table; the columns are not looked at.",
    cost: "O(rows)",
    fails_when: "The asset falls over the span.",
    not_claimed: "A forecast: its predictions are missing, its figures of error do not exist.",
    source: "B. G. Malkiel, A Random Walk Down Wall Street (1973)",
    reference: "own rule, stated in the formula",
    outputs: &[(
        "positions",
        "share of the capital held, one a row: always 1",
    )],
    stochastic: false,
    evidence: &[Evidence {
        against: "the formula",
        cases: "unit test",
        tolerance: "exact",
    }],
    presets: &[],
    exemptions: &[],
};

impl Supervised for BuyAndHold {
    type Params = BuyAndHoldParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(_: &BuyAndHoldParams, _: &Training, _: u64) -> Result<Fitted, FitError> {
        Ok(Fitted {})
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction {
            values: vec![f64::NAN; x.nrows()],
            positions: Some(vec![1.0; x.nrows()]),
            ..Prediction::default()
        })
    }

    fn outputs(&self) -> Outputs {
        Outputs::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;

    #[test]
    fn is_long_everywhere_and_forecasts_nothing() {
        let data = table(&[&[3.0], &[1.5]], &[9.0, 9.0]);
        let p = Fitted {}.predict(data.x().view()).unwrap();
        assert_eq!(p.positions.unwrap(), [1.0, 1.0]);
        assert!(p.values.iter().all(|v| v.is_nan()));
    }
}
