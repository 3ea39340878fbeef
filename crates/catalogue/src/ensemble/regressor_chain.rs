//! Regressor chain.
//!
//! What: one model a target; each also learns from the targets before it.
//! Formula: ŷ_t = model_t(x, ŷ of the earlier targets).
//! Data: two targets or more.
//! Cost: that of the model, once a target.
//! Fails when: an early target is predicted badly: its error goes down the chain.
//! Source: Read et al., Machine Learning 85 (2011).
//! Not claimed: that the order given is the best.

use super::engine::{Named, Names, With};
use super::several::{self, Chain, Several};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, MultiLearner, MultiTraining, params,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct RegressorChain;

/// The registration.
pub const ENTRY: Entry = Entry::multi::<RegressorChain>();

params! {
    /// Parameters; those of the model carry its id: `ridge.alpha`.
    pub struct RegressorChainParams {
        /// Id of the model.
        estimator: String = "ridge".to_owned();
        /// Targets in the order of the chain, counted from 0 and joined with commas; none is as named.
        order: Option<Vec<usize>> = None, at_least(0.0);
        /// Blocks of rows whose out-of-fold predictions stand for the earlier targets in training; none takes the true values.
        cv: Option<usize> = None, within(2.0, 1000.0);
    }
}

impl Names for RegressorChainParams {
    fn members(&self) -> Vec<Named> {
        Named::of("estimator", std::slice::from_ref(&self.estimator))
    }
}

const CARD: Card = Card {
    id: "regressor_chain",
    family: "ensemble",
    title: "Regressor chain",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "One model a target, in an order; each sees the columns and the earlier targets: their true values (or out-of-fold predictions) in training, the predicted ones in prediction.",
    formula: "ŷ_t = model_t(x, ŷ_s for s before t); trained on (x, y_s)",
    data: "Two targets or more: name them with commas. Otherwise what the model takes.",
    cost: "fit and predict: those of the model, once a target",
    fails_when: "An early target is predicted badly: its error goes down the chain.",
    not_claimed: "Joint probabilities of the targets.",
    source: "J. Read, B. Pfahringer, G. Holmes, E. Frank, Classifier chains for multi-label classification, Machine Learning 85 (2011)",
    reference: "scikit-learn 1.9.1, RegressorChain",
    outputs: &[("order", "targets in the order of the chain, counted from 0")],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "regressor-chain-ridge-spx-multi, regressor-chain-knn-spx-multi",
        tolerance: "predictions 1e-7",
    }],
    presets: &[],
    exemptions: &[],
};

impl MultiLearner for RegressorChain {
    type Params = With<RegressorChainParams>;
    type Fitted = Several;
    const CARD: &'static Card = &CARD;

    fn learn_from(
        params: &With<RegressorChainParams>,
        data: &Verified<MultiTraining>,
        seed: u64,
    ) -> Result<Several, FitError> {
        let own = &params.own;
        let chain = Chain {
            order: several::order(own.order.as_deref(), data.get().names().len())?,
            cv: own.cv,
            probabilities: false,
        };
        several::fit(params, &own.members()[0], data, Some(&chain), seed)
    }
}
