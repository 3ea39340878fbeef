//! Passive-aggressive regression.
//!
//! What: a linear model that moves just far enough, at each row it misses, to meet that row.
//! Formula: loss = max(0, |y - p| - epsilon); w += sign(y - p) τ x, b += sign(y - p) τ; PA-I: τ =
//! min(C, loss/|x|²), PA-II: τ = loss/(|x|² + 1/(2C)).
//! Data: columns of like scale; rows may arrive one at a time.
//! Cost: fit O(passes · n p), predict O(rows p).
//! Fails when: the noise is large beside epsilon and C is not small: it follows the last rows.
//! Source: Crammer, Dekel, Keshet, Shalev-Shwartz & Singer, JMLR 7 (2006).
//! Not claimed: a minimum of any objective.

use super::descent::{Average, Descent, Line, Loss, Rate};
use super::sgd_regressor::{Fitted, descend};
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Incremental, Inputs, Supervised, Training, choices, params,
};
use mltrainer_types::catalogue::Task;

/// The handle.
pub struct PassiveAggressiveRegressor;

/// The registration.
pub const ENTRY: Entry =
    Entry::supervised::<PassiveAggressiveRegressor>().with_updates::<PassiveAggressiveRegressor>();

choices! {
    /// What an error costs, and with it how far a step goes.
    pub enum LossWord {
        /// |y - p| beyond epsilon: PA-I.
        Insensitive = "epsilon_insensitive",
        /// Its square: PA-II.
        SquaredInsensitive = "squared_epsilon_insensitive",
    }
}

params! {
    /// Parameters of passive-aggressive regression.
    pub struct PassiveAggressiveParams {
        /// Longest step (PA-I), or how little steps are damped (PA-II).
        c as "C": f64 = 1.0, above(0.0);
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
        /// Passes over the rows at most; `converged` says whether they were enough.
        max_iter: usize = 1_000, within(1.0, 1_000_000.0);
        /// It ends when n_iter_no_change passes in a row do not lower the mean loss by this; none makes exactly max_iter passes.
        tol: Option<f64> = Some(1e-3), at_least(0.0);
        /// Whether passes end when r² on rows held out stops rising by tol.
        early_stopping: bool = false;
        /// Share of rows held out with early_stopping.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// Passes without gain after which it ends.
        n_iter_no_change: usize = 5, at_least(1.0);
        /// Whether rows are shuffled before each pass.
        shuffle: bool = true;
        /// What an error costs.
        loss: LossWord = LossWord::Insensitive;
        /// Errors up to this cost nothing, target units.
        epsilon: f64 = 0.1, at_least(0.0);
        /// Rows after which the answer is the mean of all weights since, true from the first; 0 or false is the last weights.
        average: Average = Average(0), at_least(0.0);
        /// Seed of the shuffles; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

const CARD: Card = Card {
    id: "passive_aggressive_regressor",
    family: "linear",
    title: "Passive-aggressive regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "Learns one row at a time: passive while the error stays within epsilon, otherwise it moves just far enough to meet the row, C bounding how far.",
    formula: "loss = max(0, |y - p| - epsilon), p = x·w + b; τ = min(C, loss/|x|²) (PA-I) or τ = loss/(|x|² + 1/(2C)) (PA-II); w += sign(y - p) τ x, b += sign(y - p) τ",
    data: "Columns of like scale. Rows may arrive one at a time.",
    cost: "fit O(passes · n p), predict O(rows · p)",
    fails_when: "The noise is large beside epsilon and C is not small: it then follows the last rows.",
    not_claimed: "A minimum of any objective: it depends on the order of the rows, and so on the seed.",
    source: "K. Crammer, O. Dekel, J. Keshet, S. Shalev-Shwartz, Y. Singer, Online passive-aggressive algorithms, JMLR 7 (2006) 551-585",
    reference: "scikit-learn 1.9.1, PassiveAggressiveRegressor",
    outputs: &[
        (
            "coefficients",
            "weights, one a column, target units per column unit",
        ),
        ("intercept", "b, target units; 0 without an intercept"),
        ("n_iter", "passes made"),
        ("converged", "whether it ended before max_iter"),
    ],
    stochastic: true,
    evidence: &[Evidence {
        against: "scikit-learn 1.9.1",
        cases: "passive-aggressive-ordered-spx-std (rows in file order), passive-aggressive-band-spx-std",
        tolerance: "in file order 1e-6; shuffled: error not above the reference's mean + 3 sd, correlation 0.79",
    }],
    presets: &[],
    exemptions: &[],
};

impl PassiveAggressiveParams {
    fn descent(&self) -> Descent {
        let rate = match self.loss {
            LossWord::Insensitive => Rate::Passive,
            LossWord::SquaredInsensitive => Rate::PassiveSquared,
        };
        Descent {
            name: "passive_aggressive_regressor",
            loss: Loss::Insensitive(self.epsilon),
            penalty: None,
            alpha: 1.0,
            l1_ratio: 0.0,
            fit_intercept: self.fit_intercept,
            max_iter: self.max_iter,
            tol: self.tol,
            shuffle: self.shuffle,
            rate,
            eta0: self.c,
            held_out: self.early_stopping.then_some(self.validation_fraction),
            n_iter_no_change: self.n_iter_no_change,
            average: self.average.0,
            sides: (1.0, 1.0),
        }
    }
}

impl Supervised for PassiveAggressiveRegressor {
    type Params = PassiveAggressiveParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;

    fn fit(
        params: &PassiveAggressiveParams,
        data: &Training,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let seed = effective_seed(params.seed, seed);
        let line = Line::new(data.design().columns());
        descend(&params.descent(), line, data, seed)
    }
}

impl Incremental for PassiveAggressiveRegressor {
    fn learn(
        fitted: Fitted,
        params: &PassiveAggressiveParams,
        data: &Training,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let once = params.descent().once();
        descend(&once, fitted.line, data, effective_seed(params.seed, seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, table};
    use mltrainer_catalogue_core::{Params as _, Predictor as _};

    #[test]
    fn two_rows_by_hand() {
        // From 0: row x = 2, y = 1.1: loss 1, τ = min(C, 1/4): w = 0.5, b = 0.25.
        // Row x = 1, y = 0: p = 0.75, loss 0.65, τ = min(0.3, 0.65): w = 0.2, b = -0.05.
        let given = serde_json::json!({"C": 0.3, "shuffle": false, "max_iter": 1, "tol": "none"});
        let params = PassiveAggressiveParams::from_map(given.as_object().unwrap()).unwrap();
        let data = table(&[&[2.0], &[1.0]], &[1.1, 0.0]);
        let outputs = PassiveAggressiveRegressor::fit(&params, &data, 0)
            .unwrap()
            .outputs();
        let found = [
            outputs["coefficients"][0].as_f64().unwrap(),
            outputs["intercept"].as_f64().unwrap(),
        ];
        assert_near(&found, &[0.2, -0.05], 1e-14);
    }
}
