//! Voting.
//!
//! What: the weighted mean of several models, or their weighted vote.
//! Formula: ŷ = Σ wₘ ŷₘ / Σ wₘ; labels by majority or by the mean of probabilities.
//! Data: what every member takes.
//! Cost: that of the members together.
//! Fails when: the members err alike.
//! Source: Dietterich, Multiple Classifier Systems (2000).
//! Not claimed: better than the best member.

use super::engine::{self, Member, Named, Names, With, label_shares};
use mltrainer_catalogue_core::card::{Evidence, Preset};
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Inputs, Learner, Outputs, ParamError, Prediction, Predictor, Training,
    choices, params,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The handle.
pub struct Voting;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<Voting>().tested_with(MEMBERS);

/// Members that weigh rows, which not all of the defaults do.
const MEMBERS: &[(&str, &str)] = &[(
    "estimators",
    "decision_tree_depth_3,decision_tree_depth_5,hist_gradient_boosting",
)];

choices! {
    /// How labels are voted on.
    pub enum Vote {
        /// By the label of each member.
        Hard = "hard",
        /// By the mean of the probabilities.
        Soft = "soft",
    }
}

params! {
    /// Parameters of voting; those of a member carry its id: `ridge.alpha`.
    pub struct VotingParams {
        /// Ids of the members, joined with commas; none is linear_regression, knn, decision_tree, for labels logistic_regression in place of the first.
        estimators: Option<Vec<String>> = None;
        /// Labels: hard takes the label of most members, soft the largest mean probability.
        voting: Vote = Vote::Hard;
        /// A weight a member, joined with commas; none weighs all the same.
        weights: Option<Vec<f64>> = None, at_least(0.0);
    }
}

impl VotingParams {
    fn ids(&self, task: Task) -> Vec<String> {
        self.estimators.clone().unwrap_or_else(|| {
            let first = if task == Task::Classification {
                "logistic_regression"
            } else {
                "linear_regression"
            };
            [first, "knn", "decision_tree"].map(str::to_owned).to_vec()
        })
    }
}

impl Names for VotingParams {
    fn members(&self) -> Vec<Named> {
        let mut ids = self.ids(Task::Regression);
        ids.extend(self.ids(Task::Classification));
        ids.sort();
        ids.dedup();
        Named::of("estimators", &ids)
    }
}

/// Fitted state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    members: Vec<Member>,
    weights: Vec<f64>,
    soft: bool,
    classes: Vec<i64>,
}

const CARD: Card = Card {
    id: "voting",
    family: "ensemble",
    title: "Voting (weighted average or majority)",
    tasks: &[Task::Regression, Task::Classification],
    inputs: Inputs::Features,
    summary: "Several models fitted to the same rows; the answer is their weighted mean, or for labels the label with most weight behind it.",
    formula: "ŷ = Σ wₘ ŷₘ / Σ wₘ; labels: hard argmax_k Σ wₘ [ŷₘ = k], soft argmax_k Σ wₘ Pₘ(k); probabilities: the shares of the votes, or the weighted mean of the members'",
    data: "What every member takes.",
    cost: "fit and predict: those of the members together",
    fails_when: "The members err alike: a mean takes away only what they do not share.",
    not_claimed: "That the mean is better than the best member.",
    source: "T. G. Dietterich, Ensemble methods in machine learning, Multiple Classifier Systems (2000)",
    reference: "scikit-learn 1.9.1, VotingRegressor and VotingClassifier",
    outputs: &[("estimators", "ids of the members, in order")],
    stochastic: false,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "voting-mean-spx-std, voting-mean-aapl-std, voting-hard-spx-cls, voting-soft-spx-cls",
        tolerance: "predictions 1e-7, probabilities 1e-5, 99% equal labels",
    }],
    presets: &[
        Preset {
            id: "voting_soft",
            title: "Voting by mean probability",
            set: &[("voting", "soft")],
        },
        Preset {
            id: "voting_hard",
            title: "Voting by majority",
            set: &[("voting", "hard")],
        },
    ],
    exemptions: &[],
};

impl Learner for Voting {
    type Params = With<VotingParams>;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const MISSING: bool = false;
    const WEIGHTS: bool = true;
    const PROBABILITIES: bool = true;

    fn learn_from(
        params: &With<VotingParams>,
        data: &Verified<Training>,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let named = Named::of("estimators", &params.own.ids(data.get().task()));
        let weights = params
            .own
            .weights
            .clone()
            .unwrap_or_else(|| vec![1.0; named.len()]);
        if weights.len() != named.len() || weights.iter().sum::<f64>() <= 0.0 {
            return Err(FitError::Param(ParamError {
                field: "weights".into(),
                reason: format!(
                    "{} weights for {} members: give one a member, not all of them 0",
                    weights.len(),
                    named.len()
                ),
                suggestions: Vec::new(),
            }));
        }
        let labels = data.get().labels();
        let members: Result<_, FitError> =
            named.iter().map(|m| params.fit(m, data, seed)).collect();
        Ok(Fitted {
            members: members?,
            weights,
            soft: params.own.voting == Vote::Soft,
            classes: labels.map(|l| l.classes.clone()).unwrap_or_default(),
        })
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        let all: f64 = self.weights.iter().sum();
        let mut out = Array2::zeros((x.nrows(), self.classes.len().max(1)));
        for (member, w) in self.members.iter().zip(&self.weights) {
            let mut p = member.fitted.predict(x)?;
            if self.classes.is_empty() {
                let pairs = out.iter_mut().zip(&p.values);
                pairs.for_each(|(o, v)| *o += w / all * v);
            } else {
                if !self.soft {
                    p.probabilities = None;
                }
                out.scaled_add(w / all, &label_shares(&p, &self.classes));
            }
        }
        Ok(if self.classes.is_empty() {
            Prediction::values(out.into_raw_vec_and_offset().0)
        } else {
            Prediction::probabilities(out, self.classes.clone())
        })
    }

    fn outputs(&self) -> Outputs {
        Outputs::from_iter([("estimators".to_owned(), engine::ids(&self.members))])
    }
}
