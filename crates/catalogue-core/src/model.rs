//! The typed traits an author implements.

use crate::card::Card;
use crate::design::{Bars, MultiTraining, Observations, SeriesTable, Training};
use crate::error::FitError;
use crate::params::Params;
use mltrainer_compliance::Verified;
use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Named outputs of a fit, as they appear under `outputs`.
pub type Outputs = Map<String, Value>;

/// Columns of an indicator, one value a bar, `None` while warming up, in the order of the card.
pub type Columns = Vec<(&'static str, Vec<Option<f64>>)>;

/// What a fitted model says of new rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction {
    /// One a row: the value, or for a classifier the label. NaN when the model gives positions only.
    pub values: Vec<f64>,
    /// Rows x classes, classes as in `classes`.
    pub probabilities: Option<Array2<f64>>,
    /// Labels of the columns of `probabilities`.
    pub classes: Vec<i64>,
    /// Decision values, where the model has them: rows x 1 for two classes (above 0 is the larger
    /// label), rows x classes for more.
    pub decision: Option<Array2<f64>>,
    /// Standard deviation of the value, one a row, where the model has one.
    pub std: Option<Vec<f64>>,
    /// A position in [-1, 1] a row, for an entry that states one without a forecast.
    pub positions: Option<Vec<f64>>,
}

impl Prediction {
    /// Values alone.
    #[must_use]
    pub fn values(values: Vec<f64>) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// Labels by decision values: rows x 1 for two classes (above 0 is the larger label), rows x
    /// classes for more (the largest one, the first of equal ones).
    #[must_use]
    pub fn decided(decision: Array2<f64>, classes: Vec<i64>) -> Self {
        let values = decision
            .rows()
            .into_iter()
            .map(|row| {
                let best = if row.len() == 1 {
                    usize::from(row[0] > 0.0)
                } else {
                    largest(row)
                };
                classes[best] as f64
            })
            .collect();
        Self {
            values,
            decision: Some(decision),
            classes,
            ..Self::default()
        }
    }

    /// Probabilities, rows x classes; the value is the most probable label, the smallest in a tie.
    #[must_use]
    pub fn probabilities(probabilities: Array2<f64>, classes: Vec<i64>) -> Self {
        let values = probabilities
            .rows()
            .into_iter()
            .map(|row| classes[largest(row)] as f64)
            .collect();
        Self {
            values,
            probabilities: Some(probabilities),
            classes,
            ..Self::default()
        }
    }
}

/// What SHAP values add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explained {
    /// The predicted value.
    Value,
    /// The probability of each label.
    Probability,
    /// The log odds of the larger of two labels.
    LogOdds,
    /// The score of each label, of which the softmax gives the probabilities.
    Score,
    /// The natural logarithm of the predicted value.
    LogValue,
    /// The mean depth at which random trees have set a row apart: the less, the stranger.
    Depth,
}

impl Explained {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Probability => "probability",
            Self::LogOdds => "log_odds",
            Self::Score => "score",
            Self::LogValue => "log_value",
            Self::Depth => "depth",
        }
    }
}

/// What each column adds to what a model says of a row: SHAP values (Lundberg & Lee 2017). In each
/// row they add up, with the base value, to what is explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// Rows x columns: one table, or one a label of `classes`.
    pub values: Vec<Array2<f64>>,
    /// What the model says when no column is known, one a table.
    pub base: Vec<f64>,
    /// Labels of the tables; empty when there is one table.
    pub classes: Vec<i64>,
    /// What they add up to.
    pub of: Explained,
}

/// Index of the largest entry, the first of equal ones.
fn largest(row: ArrayView1<'_, f64>) -> usize {
    let mut best = 0;
    for (k, v) in row.iter().enumerate() {
        if *v > row[best] {
            best = k;
        }
    }
    best
}

/// A fitted supervised model.
pub trait Predictor: Send + Sync {
    /// Predictions for rows of the same width as in training; every value of `x` is finite.
    ///
    /// # Errors
    /// [`FitError::Failed`] when no finite answer exists.
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError>;

    /// What the fit found: coefficients, importances, ...; names as in the card.
    fn outputs(&self) -> Outputs;

    /// Figures of its own beside those of the task: of the targets `y` and of what it predicted for
    /// their rows. A generalised linear model states its deviance here.
    fn figures(&self, _y: &[f64], _prediction: &Prediction) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Exact SHAP values of rows as in [`Predictor::predict`]; none for a model that is not a sum of
    /// trees.
    ///
    /// # Errors
    /// [`FitError::Failed`] saying why a model of trees has none.
    fn contributions(&self, _x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        Ok(None)
    }
}

/// The numbers that a model is defined for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Every finite number.
    Real,
    /// Columns of at least 0: counts or shares. This holds for prediction too.
    NonNegativeColumns,
    /// A target of at least 0.
    NonNegativeTarget,
    /// A target above 0.
    PositiveTarget,
}

/// A regression or classification model.
pub trait Supervised: 'static {
    /// Parameters.
    type Params: Params;
    /// Fitted state.
    type Fitted: Predictor + Serialize + DeserializeOwned + 'static;
    /// The card.
    const CARD: &'static Card;
    /// Whether columns may hold NaN for a missing value.
    const MISSING: bool = false;
    /// Whether it takes [`Training::weights`]; data with weights is refused otherwise.
    const WEIGHTS: bool = false;
    /// Whether it gives probabilities when it classifies.
    const PROBABILITIES: bool = true;
    /// What numbers it can learn from; others are refused before `fit` sees them.
    const DOMAIN: Domain = Domain::Real;

    /// Learns from rows that are finite and of matching shape.
    ///
    /// # Errors
    /// [`FitError`] when the method has no answer on this data; never a panic.
    fn fit(params: &Self::Params, data: &Training, seed: u64) -> Result<Self::Fitted, FitError>;
}

/// A supervised model that can go on learning.
pub trait Incremental: Supervised {
    /// Goes once over more rows, of the same columns and with labels it knows, from a fitted state.
    ///
    /// # Errors
    /// [`FitError`] when a label is new or the state leaves the finite numbers; never a panic.
    fn learn(
        fitted: Self::Fitted,
        params: &Self::Params,
        data: &Training,
        seed: u64,
    ) -> Result<Self::Fitted, FitError>;
}

/// What the registry calls. Every [`Supervised`] model is one; an ensemble implements it itself, since it
/// hands parts of its verified rows to other entries.
pub trait Learner: 'static {
    /// Parameters.
    type Params: Params;
    /// Fitted state.
    type Fitted: Predictor + Serialize + DeserializeOwned + 'static;
    /// The card.
    const CARD: &'static Card;
    /// Whether columns may hold NaN for a missing value.
    const MISSING: bool;
    /// As [`Supervised::WEIGHTS`].
    const WEIGHTS: bool;
    /// As [`Supervised::PROBABILITIES`].
    const PROBABILITIES: bool;
    /// As [`Supervised::DOMAIN`].
    const DOMAIN: Domain = Domain::Real;

    /// Learns from verified rows.
    ///
    /// # Errors
    /// As [`Supervised::fit`].
    fn learn_from(
        params: &Self::Params,
        data: &Verified<Training>,
        seed: u64,
    ) -> Result<Self::Fitted, FitError>;
}

impl<M: Supervised> Learner for M {
    type Params = M::Params;
    type Fitted = M::Fitted;
    const CARD: &'static Card = M::CARD;
    const MISSING: bool = M::MISSING;
    const WEIGHTS: bool = M::WEIGHTS;
    const PROBABILITIES: bool = M::PROBABILITIES;
    const DOMAIN: Domain = M::DOMAIN;

    fn learn_from(
        params: &M::Params,
        data: &Verified<Training>,
        seed: u64,
    ) -> Result<M::Fitted, FitError> {
        M::fit(params, data.get(), seed)
    }
}

/// A supervised model whose fitted state moves to and from a file of another program.
pub trait Foreign: Supervised {
    /// What the file is called, for people.
    const FORMAT: &'static str;

    /// The file of a model fitted on so many columns.
    ///
    /// # Errors
    /// [`FitError::Failed`] when the format cannot hold it.
    fn write_foreign(fitted: &Self::Fitted, columns: usize) -> Result<String, FitError>;

    /// The model of a file, and its number of columns.
    ///
    /// # Errors
    /// [`FitError::Data`] saying what the file lacks or holds that is not understood.
    fn read_foreign(text: &str) -> Result<(Self::Fitted, usize), FitError>;
}

/// A fitted model of several targets.
pub trait MultiPredictor: Send + Sync {
    /// One prediction a target, in the order of training; every value of `x` is finite.
    ///
    /// # Errors
    /// [`FitError::Failed`] when no finite answer exists.
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<Prediction>, FitError>;

    /// What the fit found; names as in the card.
    fn outputs(&self) -> Outputs;
}

/// A model of several targets at once.
pub trait MultiLearner: 'static {
    /// Parameters.
    type Params: Params;
    /// Fitted state.
    type Fitted: MultiPredictor + Serialize + DeserializeOwned + 'static;
    /// The card.
    const CARD: &'static Card;

    /// Learns from verified rows.
    ///
    /// # Errors
    /// As [`Supervised::fit`].
    fn learn_from(
        params: &Self::Params,
        data: &Verified<MultiTraining>,
        seed: u64,
    ) -> Result<Self::Fitted, FitError>;
}

/// A clustering, or a search for outliers.
pub trait Clusterer: 'static {
    /// Parameters.
    type Params: Params;
    /// The card.
    const CARD: &'static Card;

    /// Whether it weighs rows. Where it does not, weights are refused before it is asked.
    const WEIGHTS: bool = false;

    /// Groups the rows: `labels` (one a row) and what else the card names.
    ///
    /// # Errors
    /// [`FitError`] when the method has no answer on this data; never a panic.
    fn cluster(params: &Self::Params, data: &Observations, seed: u64) -> Result<Outputs, FitError>;
}

/// A search for outliers by a sum of trees, which says what each column adds to it.
pub trait ExplainedClusterer: Clusterer {
    /// What [`Clusterer::cluster`] answers, and SHAP values of each row.
    ///
    /// # Errors
    /// Those of [`Clusterer::cluster`].
    fn explain(
        params: &Self::Params,
        data: &Observations,
        seed: u64,
    ) -> Result<(Outputs, Contributions), FitError>;
}

/// An indicator: one value a bar from bars up to that one. One that is a fold over its bars implements
/// [`Streamed`](crate::stream::Streamed) instead.
pub trait Indicator: 'static {
    /// Parameters.
    type Params: Params;
    /// The card.
    const CARD: &'static Card;
    /// Outputs that are whole numbers, and are written as such.
    const WHOLE: &'static [&'static str] = &[];

    /// Columns of one value a bar.
    ///
    /// # Errors
    /// [`FitError::Data`] when a column it needs is absent.
    fn compute(params: &Self::Params, bars: &Bars) -> Result<Columns, FitError>;
}

/// A model of one series.
pub trait Forecaster: 'static {
    /// Parameters.
    type Params: Params;

    /// `forecast`, `horizon` values after the last one, and what else the card names. `y` is not
    /// empty and finite, oldest first; `horizon` is at least 1.
    ///
    /// # Errors
    /// [`FitError`] when the method has no answer on this series; never a panic.
    fn forecast(params: &Self::Params, y: &[f64], horizon: usize) -> Result<Outputs, FitError>;
}

/// What kind of series a method is for: what a run on a data set hands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Prices, or other levels.
    Levels,
    /// Changes from row to row in percent.
    Returns,
    /// No data: parameters alone.
    Nothing,
}

/// What is asked of a method beside its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Steps after the last row for a method that forecasts, at least 1.
    pub horizon: usize,
    /// Seed of a stochastic method, see [`crate::run`].
    pub seed: u64,
}

/// A method on one or several series: a time-series model, a filter, a transform, a statistical test; or,
/// with [`Takes::Nothing`], a calculation from parameters alone.
pub trait Analysis: 'static {
    /// Parameters.
    type Params: Params;
    /// The card.
    const CARD: &'static Card;
    /// Fewest and most series it takes. With 1 as the fewest a run that names no column hands it one
    /// series, else all of them.
    const WIDTH: (usize, usize) = (1, 1);
    /// What kind of series it is for.
    const TAKES: Takes = Takes::Levels;
    /// Whether a series may hold NaN for a missing value.
    const MISSING: bool = false;

    /// What the card lists under outputs; `forecast`, where the method has one, `ask.horizon` values after the
    /// last row and always finite. The number of series is within [`Analysis::WIDTH`] and there is a row.
    ///
    /// # Errors
    /// [`FitError`] when the method has no answer on this data; never a panic.
    fn analyse(params: &Self::Params, data: &SeriesTable, ask: Ask) -> Result<Outputs, FitError>;
}

/// A simulation over the bars of one symbol, such as a back test. What it states of a bar comes from bars up
/// to that one.
pub trait Simulation: 'static {
    /// Parameters.
    type Params: Params;
    /// The card.
    const CARD: &'static Card;

    /// What the card lists under outputs: figures, lists, and columns of one value a bar. Columns of the bars
    /// are of one length, not empty and finite.
    ///
    /// # Errors
    /// [`FitError`] when a column it needs is absent or a parameter cannot be used with these bars; never
    /// a panic.
    fn simulate(params: &Self::Params, bars: &Verified<Bars>) -> Result<Outputs, FitError>;
}

/// A fitted model of one series that goes on with it, one value after the other: its parameters stay as they
/// were estimated, its state moves on.
pub trait Tracker: Send {
    /// Takes in the next value of the series.
    fn update(&mut self, value: f64);

    /// The forecast so many steps (at least 1) after the last value taken in.
    fn forecast(&self, steps: usize) -> f64;

    /// Mean and variance of each of the next values, in the units fed and their squares; none where the model
    /// does not forecast variances that change.
    fn spread(&self, steps: usize) -> Option<Vec<(f64, f64)>> {
        let _ = steps;
        None
    }

    /// What to know of the fit, in words.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Where a search for the parameters of a later stretch of the series can start: numbers that mean
    /// something to [`Track::track`] of the same entry with the same parameters alone. Empty when nothing
    /// was searched, or a start would save nothing.
    fn start(&self) -> Vec<f64> {
        Vec::new()
    }
}

/// An analysis that can go on with a series after it was fitted: so it forecasts day by day in a trial, each
/// day from values known by then.
pub trait Track: Analysis {
    /// Fits on values, oldest first, of the kind that [`Analysis::TAKES`] says; `y` is finite and not empty. The
    /// tracker stands after the last one.
    ///
    /// `start` is what [`Tracker::start`] of a fit on an earlier stretch of the series said: the search
    /// begins there instead of at several places, or, where the likelihood may have several tops, there as well.
    /// It is a hint: one that is of another length, not finite, or leads to a worse place than the search without
    /// it would have begun from is not followed. The fit is the same to the tolerance of the search, not to the
    /// bit, or one on a higher top.
    ///
    /// # Errors
    /// [`FitError`] when the method has no answer on this series; never a panic.
    fn track(
        params: &Self::Params,
        y: &[f64],
        start: Option<&[f64]>,
    ) -> Result<Box<dyn Tracker>, FitError>;
}
