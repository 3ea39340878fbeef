//! Stochastic gradient descent regression.
//!
//! What: a linear model that learns one row at a time and can go on learning.
//! Formula: w -= eta (loss'(p) x + alpha · penalty'(w)), b -= eta loss'(p), p = x·w + b, row by row.
//! Data: standardised columns; many rows.
//! Cost: fit O(passes · n p), predict O(rows p).
//! Fails when: columns are not standardised: the steps then blow up or crawl.
//! Source: Robbins & Monro (1951); Bottou (2010); Tsuruoka, Tsujii & Ananiadou (2009).
//! Not claimed: the optimum: it stops when passes stop helping.

use super::descent::{Average, Descent, Line, Loss, Penalty, Rate, Rows};
use super::engine::Plane;
use mltrainer_catalogue_core::card::Evidence;
use mltrainer_catalogue_core::run::effective_seed;
use mltrainer_catalogue_core::{
    Card, Entry, FitError, Incremental, Inputs, Outputs, Prediction, Predictor, Supervised,
    Training, choices, params,
};
use mltrainer_types::catalogue::Task;
use ndarray::ArrayView2;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// The handle.
pub struct SgdRegressor;

/// The registration.
pub const ENTRY: Entry = Entry::supervised::<SgdRegressor>().with_updates::<SgdRegressor>();

choices! {
    /// What an error costs.
    pub enum LossWord {
        /// (y - p)²/2.
        Squared = "squared_error",
        /// The same up to epsilon, linear beyond.
        Huber = "huber",
        /// |y - p| beyond epsilon.
        Insensitive = "epsilon_insensitive",
        /// Its square.
        SquaredInsensitive = "squared_epsilon_insensitive",
    }
}

choices! {
    /// How long a step is.
    pub enum RateWord {
        /// eta0 / t^power_t.
        InverseScaling = "invscaling",
        /// eta0.
        Constant = "constant",
        /// 1/(alpha (t₀ + t)).
        Optimal = "optimal",
        /// eta0, divided by 5 whenever passes stop helping.
        Adaptive = "adaptive",
        /// As far as the loss asks, eta0 at most (passive-aggressive).
        Pa1 = "pa1",
        /// As far as the loss asks, damped by eta0 (passive-aggressive).
        Pa2 = "pa2",
    }
}

params! {
    /// Parameters of stochastic gradient descent regression.
    pub struct SgdRegressorParams {
        /// What an error costs.
        loss: LossWord = LossWord::Squared;
        /// The penalty on the weights; none is no penalty.
        penalty: Option<Penalty> = Some(Penalty::L2);
        /// Strength of the penalty.
        alpha: f64 = 1e-4, at_least(0.0);
        /// Share of the absolute penalty, with penalty elasticnet.
        l1_ratio: f64 = 0.15, within(0.0, 1.0);
        /// Whether an intercept is fitted.
        fit_intercept: bool = true;
        /// Passes over the rows at most; `converged` says whether they were enough.
        max_iter: usize = 1_000, within(1.0, 1_000_000.0);
        /// It ends when n_iter_no_change passes in a row do not lower the mean objective by this; none makes exactly max_iter passes.
        tol: Option<f64> = Some(1e-3), at_least(0.0);
        /// Whether rows are shuffled before each pass.
        shuffle: bool = true;
        /// Border of the losses huber and epsilon_insensitive, target units.
        epsilon: f64 = 0.1, at_least(0.0);
        /// How long a step is.
        learning_rate: RateWord = RateWord::InverseScaling;
        /// First length of a step.
        eta0: f64 = 0.01, above(0.0);
        /// How fast steps shorten with learning_rate invscaling.
        power_t: f64 = 0.25;
        /// Whether passes end when r² on rows held out stops rising by tol.
        early_stopping: bool = false;
        /// Share of rows held out with early_stopping.
        validation_fraction: f64 = 0.1, inside(0.0, 1.0);
        /// Passes without gain after which it ends.
        n_iter_no_change: usize = 5, at_least(1.0);
        /// Rows after which the answer is the mean of all weights since, true from the first; 0 or false is the last weights.
        average: Average = Average(0), at_least(0.0);
        /// Seed of the shuffles; none is the seed of the run.
        seed: Option<usize> = None, at_least(0.0);
    }
}

/// Fitted state: the score, and what going on needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fitted {
    pub(super) line: Line,
}

const CARD: Card = Card {
    id: "sgd_regressor",
    family: "linear",
    title: "Stochastic gradient descent regression",
    tasks: &[Task::Regression],
    inputs: Inputs::Features,
    summary: "A linear model with a choice of losses and penalties that learns from one row at a time: for very many rows, and for going on when new rows arrive.",
    formula: "per row: p = x·w + b, w ← (1 - eta alpha) w - eta loss'(p) x, b ← b - eta loss'(p); eta = eta0/t^power_t by default; the absolute penalty by cumulative truncation",
    data: "Standardised columns: one length of step for all.",
    cost: "fit O(passes · n p), predict O(rows · p)",
    fails_when: "Columns are not standardised (steps blow up, which is an error, or crawl), or the rows are few: least squares is then exact and quicker.",
    not_claimed: "The optimum: it stops when passes stop helping, and depends on the seed.",
    source: "H. Robbins, S. Monro, A stochastic approximation method (1951); L. Bottou, Large-scale machine learning with stochastic gradient descent (2010); Y. Tsuruoka, J. Tsujii, S. Ananiadou, ACL (2009)",
    reference: "scikit-learn 1.9.1, SGDRegressor",
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
        cases: "sgd-ordered-spx-std (rows in file order), sgd-band-spx-std, sgd-band-aapl-std",
        tolerance: "in file order 1e-6; shuffled: error not above the reference's mean + 3 sd, correlation 0.97",
    }],
    presets: &[],
    exemptions: &[],
};

impl SgdRegressorParams {
    fn descent(&self) -> Result<Descent, FitError> {
        if self.learning_rate == RateWord::Optimal && self.alpha == 0.0 {
            return Err(FitError::Data(
                "alpha 0: learning_rate optimal divides by it, so that it must be above 0".into(),
            ));
        }
        Ok(Descent {
            name: "sgd_regressor",
            loss: match self.loss {
                LossWord::Squared => Loss::Squared,
                LossWord::Huber => Loss::Huber(self.epsilon),
                LossWord::Insensitive => Loss::Insensitive(self.epsilon),
                LossWord::SquaredInsensitive => Loss::SquaredInsensitive(self.epsilon),
            },
            penalty: self.penalty,
            alpha: self.alpha,
            l1_ratio: self.l1_ratio,
            fit_intercept: self.fit_intercept,
            max_iter: self.max_iter,
            tol: self.tol,
            shuffle: self.shuffle,
            rate: match self.learning_rate {
                RateWord::InverseScaling => Rate::InverseScaling(self.power_t),
                RateWord::Constant => Rate::Constant,
                RateWord::Optimal => Rate::Optimal,
                RateWord::Adaptive => Rate::Adaptive,
                RateWord::Pa1 => Rate::Passive,
                RateWord::Pa2 => Rate::PassiveSquared,
            },
            eta0: self.eta0,
            held_out: self.early_stopping.then_some(self.validation_fraction),
            n_iter_no_change: self.n_iter_no_change,
            average: self.average.0,
            sides: (1.0, 1.0),
        })
    }
}

/// Descends on a table from where the line stands.
pub(super) fn descend(
    descent: &Descent,
    mut line: Line,
    data: &Training,
    seed: u64,
) -> Result<Fitted, FitError> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let held_out = descent.hold_out(data.y().len(), None, &mut random)?;
    let rows = Rows {
        x: data.x().view(),
        y: data.y(),
        weights: data.weights(),
        held_out: &held_out,
    };
    descent.run(&mut line, &rows, &mut random)?;
    Ok(Fitted { line })
}

impl Supervised for SgdRegressor {
    type Params = SgdRegressorParams;
    type Fitted = Fitted;
    const CARD: &'static Card = &CARD;
    const WEIGHTS: bool = true;

    fn fit(params: &SgdRegressorParams, data: &Training, seed: u64) -> Result<Fitted, FitError> {
        let seed = effective_seed(params.seed, seed);
        let line = Line::new(data.design().columns());
        descend(&params.descent()?, line, data, seed)
    }
}

impl Incremental for SgdRegressor {
    fn learn(
        fitted: Fitted,
        params: &SgdRegressorParams,
        data: &Training,
        seed: u64,
    ) -> Result<Fitted, FitError> {
        let once = params.descent()?.once();
        descend(&once, fitted.line, data, effective_seed(params.seed, seed))
    }
}

impl Predictor for Fitted {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        Ok(Prediction::values(self.line.scores(x)))
    }

    fn outputs(&self) -> Outputs {
        let (weights, intercept) = self.line.answer();
        let extra = Outputs::from_iter([
            ("n_iter".to_owned(), self.line.n_iter.into()),
            ("converged".to_owned(), self.line.converged.into()),
        ]);
        // The descent has checked that both are finite.
        Plane::at(weights.to_vec(), intercept, extra)
            .map(|plane| plane.outputs())
            .unwrap_or_default()
    }
}
