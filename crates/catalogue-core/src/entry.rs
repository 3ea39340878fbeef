//! An entry with its types erased: what the registry holds and what trials and runs call.

use crate::card::Card;
use crate::design::{Bars, Design, Sequence, Training};
use crate::error::{FitError, ParamError};
use crate::model::{
    Clusterer, Columns, Domain, Forecaster, Incremental, Indicator, Outputs, Prediction, Predictor,
    Supervised,
};
use crate::params::Params;
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::{ParamSpec, Task};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Parameters by name.
pub type ParamMap = Map<String, Value>;

/// A fitted model that can be saved. Its `predict` checks width and finiteness of what comes in and
/// of what goes out, so that a model's own code is mathematics only.
pub trait Fitted: Predictor {
    /// Number of columns it was fitted on, and so of those it predicts from.
    fn columns(&self) -> usize;

    /// One line of JSON (format, entry, columns, SHA-256 of the rest), then the state as JSON; read
    /// back by the entry's `load`.
    ///
    /// # Errors
    /// [`FitError::Failed`] when the state cannot be written.
    fn save(&self) -> Result<Vec<u8>, FitError>;
}

/// Version of the saved form; a change that old readers would misread raises it.
const SAVED_FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct SavedHeader {
    format: u32,
    entry: String,
    columns: usize,
    sha256: String,
}

struct Held<F> {
    entry: &'static str,
    columns: usize,
    domain: Domain,
    model: F,
}

impl<F: Predictor> Predictor for Held<F> {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        if x.ncols() != self.columns {
            return Err(FitError::Data(format!(
                "{} was fitted on {} columns and cannot predict from {}",
                self.entry,
                self.columns,
                x.ncols()
            )));
        }
        if let Some(((row, col), value)) = x.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(FitError::Data(format!(
                "column {} row {}: {value} is not a finite number",
                col + 1,
                row + 1
            )));
        }
        if self.domain == Domain::NonNegativeColumns
            && let Some(((row, col), value)) = x.indexed_iter().find(|(_, v)| **v < 0.0)
        {
            let column = (col + 1).to_string();
            return Err(below_zero(self.entry, &column, row, *value));
        }
        let prediction = self.model.predict(x)?;
        // An entry that states positions gives no forecast: its values are NaN on purpose.
        if prediction.positions.is_none()
            && let Some(row) = prediction.values.iter().position(|v| !v.is_finite())
        {
            return Err(FitError::Failed(format!(
                "{}: the prediction of row {} is not a finite number; rescale the columns",
                self.entry,
                row + 1
            )));
        }
        let further = [&prediction.probabilities, &prediction.decision];
        let further = further.into_iter().flatten().flatten();
        if further
            .chain(prediction.std.iter().flatten())
            .any(|v| !v.is_finite())
        {
            return Err(FitError::Failed(format!(
                "{}: a probability, decision value or standard deviation is not a finite number; rescale the columns",
                self.entry
            )));
        }
        Ok(prediction)
    }
    fn outputs(&self) -> Outputs {
        self.model.outputs()
    }
    fn figures(&self, y: &[f64], prediction: &Prediction) -> Vec<(&'static str, f64)> {
        self.model.figures(y, prediction)
    }
}

impl<F: Predictor + Serialize> Fitted for Held<F> {
    fn columns(&self) -> usize {
        self.columns
    }
    fn save(&self) -> Result<Vec<u8>, FitError> {
        let failed = |e: serde_json::Error| FitError::Failed(format!("saving the model: {e}"));
        let state = serde_json::to_vec(&self.model).map_err(failed)?;
        let mut bytes = serde_json::to_vec(&SavedHeader {
            format: SAVED_FORMAT,
            entry: self.entry.to_owned(),
            columns: self.columns,
            sha256: hex::encode(Sha256::digest(&state)),
        })
        .map_err(failed)?;
        bytes.push(b'\n');
        bytes.extend(state);
        Ok(bytes)
    }
}

/// Refuses a task, row weights or a table without columns that the model cannot learn from.
fn learnable<M: Supervised>(data: &Training) -> Result<(), FitError> {
    let card = M::CARD;
    let learns = |t: &Task| matches!(t, Task::Regression | Task::Classification);
    if card.tasks.iter().any(learns) && !card.tasks.contains(&data.task()) {
        return Err(FitError::Data(format!(
            "{} does not do {}",
            card.id,
            data.task().as_str()
        )));
    }
    if data.design().columns() == 0 {
        return Err(FitError::Data(
            "there is no column to learn from: the table needs one besides date and target".into(),
        ));
    }
    if data.weights().is_some() && !M::WEIGHTS {
        return Err(FitError::Data(format!(
            "{} does not weigh rows: leave the weights out",
            card.id
        )));
    }
    let target =
        |allowed: fn(f64) -> bool, words: &str| match data.y().iter().position(|y| !allowed(*y)) {
            Some(row) => Err(FitError::Data(format!(
                "target row {}: {} learns from a target {words}, not from {}",
                row + 1,
                card.id,
                data.y()[row]
            ))),
            None => Ok(()),
        };
    match M::DOMAIN {
        Domain::Real => Ok(()),
        Domain::NonNegativeColumns => {
            let negative = data.x().indexed_iter().find(|(_, v)| **v < 0.0);
            negative.map_or(Ok(()), |((row, col), v)| {
                let column = format!("\"{}\"", data.design().names()[col]);
                Err(below_zero(card.id, &column, row, *v))
            })
        }
        Domain::NonNegativeTarget => target(|y| y >= 0.0, "of at least 0"),
        Domain::PositiveTarget => target(|y| y > 0.0, "above 0"),
    }
}

fn below_zero(id: &str, column: &str, row: usize, value: f64) -> FitError {
    FitError::Data(format!(
        "column {column} row {}: {value} is below 0, and {id} takes counts or shares only",
        row + 1
    ))
}

fn fit<M: Supervised>(
    params: &ParamMap,
    data: &Verified<Training>,
    seed: u64,
) -> Result<Box<dyn Fitted>, FitError> {
    let data = data.get();
    learnable::<M>(data)?;
    Ok(Box::new(Held {
        entry: M::CARD.id,
        columns: data.design().columns(),
        domain: M::DOMAIN,
        model: M::fit(&M::Params::from_map(params)?, data, seed)?,
    }))
}

fn load<M: Supervised>(bytes: &[u8]) -> Result<Box<dyn Fitted>, FitError> {
    Ok(Box::new(read::<M>(bytes)?))
}

fn update<M: Incremental>(
    saved: &[u8],
    params: &ParamMap,
    data: &Verified<Training>,
    seed: u64,
) -> Result<Box<dyn Fitted>, FitError> {
    let (held, data) = (read::<M>(saved)?, data.get());
    learnable::<M>(data)?;
    if data.design().columns() != held.columns {
        return Err(FitError::Data(format!(
            "{} was fitted on {} columns and cannot go on with {}",
            held.entry,
            held.columns,
            data.design().columns()
        )));
    }
    Ok(Box::new(Held {
        model: M::learn(held.model, &M::Params::from_map(params)?, data, seed)?,
        ..held
    }))
}

fn read<M: Supervised>(bytes: &[u8]) -> Result<Held<M::Fitted>, FitError> {
    let refused = |why: String| FitError::Failed(format!("loading a saved {}: {why}", M::CARD.id));
    let cut = bytes.iter().position(|b| *b == b'\n').unwrap_or_default();
    let (head, state) = bytes.split_at(cut);
    let state = state.strip_prefix(b"\n").unwrap_or(state);
    let head: SavedHeader =
        serde_json::from_slice(head).map_err(|e| refused(format!("the first line: {e}")))?;
    if head.format != SAVED_FORMAT {
        return Err(refused(format!(
            "it has format {}, this program reads format {SAVED_FORMAT}",
            head.format
        )));
    }
    if head.entry != M::CARD.id {
        return Err(refused(format!("it is a {}", head.entry)));
    }
    if head.sha256 != hex::encode(Sha256::digest(state)) {
        return Err(refused(
            "its content does not have the hash it states".into(),
        ));
    }
    Ok(Held {
        entry: M::CARD.id,
        columns: head.columns,
        domain: M::DOMAIN,
        model: serde_json::from_slice::<M::Fitted>(state).map_err(|e| refused(e.to_string()))?,
    })
}

fn cluster<M: Clusterer>(
    params: &ParamMap,
    data: &Verified<Design>,
    seed: u64,
) -> Result<Outputs, FitError> {
    let data = data.get();
    if data.rows() == 0 || data.columns() == 0 {
        return Err(FitError::Data("the table has no row or no column".into()));
    }
    M::cluster(&M::Params::from_map(params)?, data, seed)
}

fn compute<M: Indicator>(params: &ParamMap, bars: &Verified<Bars>) -> Result<Columns, FitError> {
    let bars = bars.get();
    bars.check()?;
    M::compute(&M::Params::from_map(params)?, bars)
}

/// How an entry computes. Data is [`Verified`]: only what passed the gate reaches a model.
#[derive(Clone, Copy)]
pub enum Engine {
    /// Regression or classification.
    Supervised {
        /// Learns.
        fit: FitFn,
        /// Reads a saved state.
        load: LoadFn,
    },
    /// Clustering.
    Clustering {
        /// Groups the rows.
        run: fn(&ParamMap, &Verified<Design>, u64) -> Result<Outputs, FitError>,
    },
    /// One value a bar.
    Indicator {
        /// Computes the columns.
        run: fn(&ParamMap, &Verified<Bars>) -> Result<Columns, FitError>,
    },
}

/// An entry of the registry.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The card.
    pub card: &'static Card,
    /// Parameters with defaults, ranges and help.
    pub params: fn() -> Vec<ParamSpec>,
    /// Checks given parameters and fills in the defaults.
    pub resolve: fn(&ParamMap) -> Result<ParamMap, ParamError>,
    /// How it computes.
    pub engine: Engine,
    /// Values after the last row of one series, for an entry that can.
    pub forecast: Option<ForecastFn>,
    /// Goes on learning from more rows, for an entry that can.
    pub update: Option<UpdateFn>,
    /// Whether it takes row weights.
    pub weights: bool,
    /// Whether it gives probabilities when it classifies.
    pub probabilities: bool,
    /// What numbers it can learn from.
    pub domain: Domain,
}

/// Learns with parameters, rows and a seed.
pub type FitFn = fn(&ParamMap, &Verified<Training>, u64) -> Result<Box<dyn Fitted>, FitError>;

/// Reads what [`Fitted::save`] wrote, or says why it cannot: another format or entry, a wrong hash.
pub type LoadFn = fn(&[u8]) -> Result<Box<dyn Fitted>, FitError>;

/// Goes on from what [`Fitted::save`] wrote, once over more rows, with parameters and a seed.
pub type UpdateFn =
    fn(&[u8], &ParamMap, &Verified<Training>, u64) -> Result<Box<dyn Fitted>, FitError>;

/// Forecasts `horizon` values after the last one of a sequence: `forecast` and what else the card
/// names.
pub type ForecastFn = fn(&ParamMap, &Verified<Sequence>, usize) -> Result<Outputs, FitError>;

impl Entry {
    /// The entry of a supervised model.
    #[must_use]
    pub const fn supervised<M: Supervised>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Supervised {
                fit: fit::<M>,
                load: load::<M>,
            },
            forecast: None,
            update: None,
            weights: M::WEIGHTS,
            probabilities: M::PROBABILITIES,
            domain: M::DOMAIN,
        }
    }

    /// The same entry, that also goes on learning.
    #[must_use]
    pub const fn with_updates<M: Incremental>(mut self) -> Self {
        self.update = Some(update::<M>);
        self
    }

    /// The same entry, that also forecasts one series.
    #[must_use]
    pub const fn with_forecast<M: Forecaster>(mut self) -> Self {
        self.forecast = Some(|params, series, horizon| {
            M::forecast(
                &M::Params::from_map(params)?,
                series.get().values(),
                horizon,
            )
        });
        self
    }

    /// The entry of a clustering.
    #[must_use]
    pub const fn clustering<M: Clusterer>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Clustering { run: cluster::<M> },
            forecast: None,
            update: None,
            weights: false,
            probabilities: false,
            domain: Domain::Real,
        }
    }

    /// The entry of an indicator.
    #[must_use]
    pub const fn indicator<M: Indicator>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Indicator { run: compute::<M> },
            forecast: None,
            update: None,
            weights: false,
            probabilities: false,
            domain: Domain::Real,
        }
    }
}

fn resolve<P: Params>(given: &ParamMap) -> Result<ParamMap, ParamError> {
    Ok(P::from_map(given)?.to_map())
}
