//! Multi-output.
//!
//! What: one model a target, each fitted alone.
//! Formula: ŷ_t = model_t(x).
//! Data: two targets or more.
//! Cost: that of the model, once a target.
//! Fails when: targets tell of each other: a chain uses that.
//! Source: Borchani et al., WIREs Data Mining 5 (2015).
//! Not claimed: that targets are looked at together.

use super::engine::{Named, Names, With};
use super::several::{self, Several};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, MultiLearner, MultiTraining, params,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct MultiOutput;

/// The registration.
pub const ENTRY: Entry = Entry::multi::<MultiOutput>();

params! {
    /// Parameters; those of the model carry its id: `ridge.alpha`.
    pub struct MultiOutputParams {
        /// Id of the model; none is ridge, for labels logistic_regression.
        estimator: Option<String> = None;
    }
}

impl MultiOutputParams {
    fn id(&self, task: Task) -> String {
        let given = self.estimator.clone();
        given.unwrap_or_else(|| several::default_id(task).to_owned())
    }
}

impl Names for MultiOutputParams {
    fn members(&self) -> Vec<Named> {
        let ids = [Task::Regression, Task::Classification].map(|t| self.id(t));
        Named::of("estimator", if ids[0] == ids[1] { &ids[..1] } else { &ids })
    }
}

const CARD: Card = Card {
    id: "multi_output",
    family: "ensemble",
    title: "Multi-output",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "One model a target, each fitted alone to the same columns.",
    formula: "ŷ_t = model_t(x), one model for each target t",
    data: "Two targets or more: name them with commas. Otherwise what the model takes.",
    cost: "fit and predict: those of the model, once a target",
    fails_when: "The targets tell of each other: a chain uses that, this does not.",
    not_claimed: "Joint probabilities of the targets.",
    source: "H. Borchani, G. Varando, C. Bielza, P. Larrañaga, A survey on multi-output regression, WIREs Data Mining 5 (2015)",
    reference: "scikit-learn 1.9.1, MultiOutputRegressor and MultiOutputClassifier",
    outputs: &[],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "multi-output-ridge-spx-multi, multi-output-knn-spx-multi",
        tolerance: "predictions 1e-7",
    }],
    presets: &[],
    exemptions: &[],
};

impl MultiLearner for MultiOutput {
    type Params = With<MultiOutputParams>;
    type Fitted = Several;
    const CARD: &'static Card = &CARD;

    fn learn_from(
        params: &With<MultiOutputParams>,
        data: &Verified<MultiTraining>,
        seed: u64,
    ) -> Result<Several, FitError> {
        let ids = [params.own.id(data.get().task())];
        several::fit(params, &Named::of("estimator", &ids)[0], data, None, seed)
    }
}
