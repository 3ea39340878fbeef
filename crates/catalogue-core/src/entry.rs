//! An entry with its types erased: what the registry holds and what trials and runs call.

use crate::card::Card;
use crate::design::{Bars, Design, MultiTraining, Observations, Sequence, SeriesTable, Training};
use crate::error::{FitError, ParamError};
use crate::model::{
    Analysis, Ask, Clusterer, Columns, Contributions, Domain, ExplainedClusterer, Forecaster,
    Foreign, Incremental, Indicator, Learner, MultiLearner, MultiPredictor, Outputs, Prediction,
    Predictor, Simulation, Supervised, Takes, Track, Tracker,
};
use crate::params::Params;
use crate::stream::{self, Stream, Streamed};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::{ParamSpec, Task};
use ndarray::ArrayView2;
use serde::de::DeserializeOwned;
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

/// A fitted model of several targets that can be saved; checks as [`Fitted`] does.
pub trait FittedMulti: MultiPredictor {
    /// The form of [`Fitted::save`].
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
    missing: bool,
    domain: Domain,
    model: F,
}

impl<F> Held<F> {
    /// Checks what comes in.
    fn admit(&self, x: ArrayView2<'_, f64>) -> Result<(), FitError> {
        if x.ncols() != self.columns {
            return Err(FitError::Data(format!(
                "{} was fitted on {} columns and cannot predict from {}",
                self.entry,
                self.columns,
                x.ncols()
            )));
        }
        let bad = |v: f64| !(v.is_finite() || (self.missing && v.is_nan()));
        if let Some(((row, col), value)) = x.indexed_iter().find(|(_, v)| bad(**v)) {
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
        Ok(())
    }

    /// Checks what goes out.
    fn release(&self, prediction: Prediction) -> Result<Prediction, FitError> {
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
}

impl<F: Predictor> Predictor for Held<F> {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Prediction, FitError> {
        self.admit(x)?;
        self.release(self.model.predict(x)?)
    }
    fn outputs(&self) -> Outputs {
        self.model.outputs()
    }
    fn figures(&self, y: &[f64], prediction: &Prediction) -> Vec<(&'static str, f64)> {
        self.model.figures(y, prediction)
    }
    fn contributions(&self, x: ArrayView2<'_, f64>) -> Result<Option<Contributions>, FitError> {
        self.admit(x)?;
        self.model.contributions(x)
    }
}

impl<F: MultiPredictor> MultiPredictor for Held<F> {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<Prediction>, FitError> {
        self.admit(x)?;
        let all = self.model.predict(x)?;
        all.into_iter().map(|p| self.release(p)).collect()
    }
    fn outputs(&self) -> Outputs {
        self.model.outputs()
    }
}

impl<F: Predictor + Serialize> Fitted for Held<F> {
    fn columns(&self) -> usize {
        self.columns
    }
    fn save(&self) -> Result<Vec<u8>, FitError> {
        self.bytes()
    }
}

impl<F: MultiPredictor + Serialize> FittedMulti for Held<F> {
    fn save(&self) -> Result<Vec<u8>, FitError> {
        self.bytes()
    }
}

impl<F: Serialize> Held<F> {
    fn bytes(&self) -> Result<Vec<u8>, FitError> {
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

fn fit<M: Learner>(
    params: &ParamMap,
    data: &Verified<Training>,
    seed: u64,
) -> Result<Box<dyn Fitted>, FitError> {
    learnable::<M>(data.get())?;
    Ok(Box::new(Held {
        entry: M::CARD.id,
        columns: data.get().design().columns(),
        missing: M::MISSING,
        domain: M::DOMAIN,
        model: M::learn_from(&M::Params::from_map(params)?, data, seed)?,
    }))
}

fn fit_multi<M: MultiLearner>(
    params: &ParamMap,
    data: &Verified<MultiTraining>,
    seed: u64,
) -> Result<Box<dyn FittedMulti>, FitError> {
    let card = M::CARD;
    does(card, data.get().task())?;
    usable(data.get().design(), false)?;
    Ok(Box::new(Held {
        entry: card.id,
        columns: data.get().design().columns(),
        missing: false,
        domain: Domain::Real,
        model: M::learn_from(&M::Params::from_map(params)?, data, seed)?,
    }))
}

/// Refuses a task, row weights or a table that the model cannot learn from.
fn learnable<M: Learner>(data: &Training) -> Result<(), FitError> {
    does(M::CARD, data.task())?;
    usable(data.design(), M::MISSING)?;
    weighable(M::CARD, data.weights(), M::WEIGHTS)?;
    let target =
        |allowed: fn(f64) -> bool, words: &str| match data.y().iter().position(|y| !allowed(*y)) {
            Some(row) => Err(FitError::Data(format!(
                "target row {}: {} learns from a target {words}, not from {}",
                row + 1,
                M::CARD.id,
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
                Err(below_zero(M::CARD.id, &column, row, *v))
            })
        }
        Domain::NonNegativeTarget => target(|y| y >= 0.0, "of at least 0"),
        Domain::PositiveTarget => target(|y| y > 0.0, "above 0"),
    }
}

/// Refuses weights where rows are not weighed.
fn weighable(card: &Card, weights: Option<&[f64]>, taken: bool) -> Result<(), FitError> {
    if weights.is_some() && !taken {
        return Err(FitError::Data(format!(
            "{} does not weigh rows: leave the weights out",
            card.id
        )));
    }
    Ok(())
}

fn below_zero(id: &str, column: &str, row: usize, value: f64) -> FitError {
    FitError::Data(format!(
        "column {column} row {}: {value} is below 0, and {id} takes counts or shares only",
        row + 1
    ))
}

fn does(card: &Card, task: Task) -> Result<(), FitError> {
    let learns = |t: &Task| matches!(t, Task::Regression | Task::Classification);
    if card.tasks.iter().any(learns) && !card.tasks.contains(&task) {
        return Err(FitError::Data(format!(
            "{} does not do {}",
            card.id,
            task.as_str()
        )));
    }
    Ok(())
}

fn usable(design: &Design, missing: bool) -> Result<(), FitError> {
    if design.columns() == 0 {
        return Err(FitError::Data(
            "there is no column to learn from: the table needs one besides date and target".into(),
        ));
    }
    match design.missing().filter(|_| !missing) {
        Some((column, row)) => Err(FitError::Data(format!(
            "column \"{}\" row {}: the value is missing, and this model takes no missing values",
            design.names()[column],
            row + 1
        ))),
        None => Ok(()),
    }
}

fn update<M: Incremental>(
    saved: &[u8],
    params: &ParamMap,
    data: &Verified<Training>,
    seed: u64,
) -> Result<Box<dyn Fitted>, FitError> {
    let held = opened::<M::Fitted>(
        <M as Supervised>::CARD,
        saved,
        <M as Supervised>::MISSING,
        <M as Supervised>::DOMAIN,
    )?;
    let data = data.get();
    learnable::<M>(data)?;
    if data.design().columns() != held.columns {
        return Err(FitError::Data(format!(
            "{} was fitted on {} columns and cannot go on with {}",
            held.entry,
            held.columns,
            data.design().columns()
        )));
    }
    let params = <<M as Supervised>::Params as Params>::from_map(params)?;
    Ok(Box::new(Held {
        model: <M as Incremental>::learn(held.model, &params, data, seed)?,
        entry: held.entry,
        columns: held.columns,
        missing: held.missing,
        domain: held.domain,
    }))
}

/// Header checked, the state.
fn opened<F: DeserializeOwned>(
    card: &'static Card,
    bytes: &[u8],
    missing: bool,
    domain: Domain,
) -> Result<Held<F>, FitError> {
    let refused = |why: String| FitError::Failed(format!("loading a saved {}: {why}", card.id));
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
    if head.entry != card.id {
        return Err(refused(format!("it is a {}", head.entry)));
    }
    if head.sha256 != hex::encode(Sha256::digest(state)) {
        return Err(refused(
            "its content does not have the hash it states".into(),
        ));
    }
    Ok(Held {
        entry: card.id,
        columns: head.columns,
        missing,
        domain,
        model: serde_json::from_slice(state).map_err(|e| refused(e.to_string()))?,
    })
}

fn load<M: Learner>(bytes: &[u8]) -> Result<Box<dyn Fitted>, FitError> {
    Ok(Box::new(opened::<M::Fitted>(
        M::CARD,
        bytes,
        M::MISSING,
        M::DOMAIN,
    )?))
}

fn load_multi<M: MultiLearner>(bytes: &[u8]) -> Result<Box<dyn FittedMulti>, FitError> {
    Ok(Box::new(opened::<M::Fitted>(
        M::CARD,
        bytes,
        false,
        Domain::Real,
    )?))
}

/// Rows that a clustering can take.
fn observed<M: Clusterer>(data: &Verified<Observations>) -> Result<&Observations, FitError> {
    let data = data.get();
    if data.design().rows() == 0 || data.design().columns() == 0 {
        return Err(FitError::Data("the table has no row or no column".into()));
    }
    usable(data.design(), false)?;
    weighable(M::CARD, data.weights(), M::WEIGHTS)?;
    Ok(data)
}

fn cluster<M: Clusterer>(
    params: &ParamMap,
    data: &Verified<Observations>,
    seed: u64,
) -> Result<Outputs, FitError> {
    M::cluster(&M::Params::from_map(params)?, observed::<M>(data)?, seed)
}

fn cluster_and_explain<M: ExplainedClusterer>(
    params: &ParamMap,
    data: &Verified<Observations>,
    seed: u64,
) -> Result<(Outputs, Contributions), FitError> {
    M::explain(&M::Params::from_map(params)?, observed::<M>(data)?, seed)
}

fn compute<M: Indicator>(params: &ParamMap, bars: &Verified<Bars>) -> Result<Columns, FitError> {
    let bars = bars.get();
    bars.check()?;
    M::compute(&M::Params::from_map(params)?, bars)
}

fn simulate<M: Simulation>(params: &ParamMap, bars: &Verified<Bars>) -> Result<Outputs, FitError> {
    bars.get().check()?;
    M::simulate(&M::Params::from_map(params)?, bars)
}

fn analyse<M: Analysis>(
    params: &ParamMap,
    data: &Verified<SeriesTable>,
    ask: Ask,
) -> Result<Outputs, FitError> {
    let data = data.get();
    let (least, most) = M::WIDTH;
    let width = data.design().columns();
    if width < least || width > most {
        let wanted = match (least, most) {
            (a, b) if a == b => format!("exactly {a} series"),
            (a, usize::MAX) => format!("at least {a} series"),
            (a, b) => format!("{a} to {b} series"),
        };
        return Err(FitError::Data(format!(
            "{} takes {wanted}, and there are {width}; name the columns with --column A,B",
            M::CARD.id
        )));
    }
    if least > 0 {
        if data.rows() == 0 {
            return Err(FitError::Data("the series have no row".into()));
        }
        usable(data.design(), M::MISSING)?;
    }
    let outputs = M::analyse(&M::Params::from_map(params)?, data, ask)?;
    let forecast = outputs.get("forecast").unwrap_or(&Value::Bool(true));
    if missing(forecast) {
        return Err(FitError::Failed(format!(
            "{}: the forecast is not a finite number; rescale or difference the series",
            M::CARD.id
        )));
    }
    Ok(outputs)
}

/// Whether a number is missing anywhere.
fn missing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.iter().any(missing),
        Value::Object(all) => all.values().any(missing),
        _ => false,
    }
}

/// As [`compute`], but what the indicator does not read need not be finite.
fn fold<M: Streamed>(params: &ParamMap, bars: &Verified<Bars>) -> Result<Columns, FitError> {
    let bars = bars.get();
    bars.check_read(M::READS)?;
    <M as Indicator>::compute(&<M as Streamed>::Params::from_map(params)?, bars)
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
    /// Regression or classification of several targets.
    Multi {
        /// Learns.
        fit: FitMultiFn,
        /// Reads a saved state.
        load: LoadMultiFn,
    },
    /// Clustering or a search for outliers.
    Clustering {
        /// Groups the rows.
        run: fn(&ParamMap, &Verified<Observations>, u64) -> Result<Outputs, FitError>,
    },
    /// One value a bar.
    Indicator {
        /// Computes the columns.
        run: fn(&ParamMap, &Verified<Bars>) -> Result<Columns, FitError>,
    },
    /// Figures and columns from a simulation over bars.
    Simulation {
        /// Computes the outputs.
        run: fn(&ParamMap, &Verified<Bars>) -> Result<Outputs, FitError>,
    },
    /// A method on series, or on parameters alone.
    Analysis {
        /// Computes the outputs.
        run: fn(&ParamMap, &Verified<SeriesTable>, Ask) -> Result<Outputs, FitError>,
        /// Fewest and most series.
        width: (usize, usize),
        /// What kind of series.
        takes: Takes,
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
    /// The same indicator bar by bar, for one that can.
    pub stream: Option<StreamFn>,
    /// Outputs that are whole numbers.
    pub whole: &'static [&'static str],
    /// Whether a table may hold NaN for a missing value.
    pub missing: bool,
    /// Moves fitted models to and from a file of another program.
    pub foreign: Option<ForeignFile>,
    /// Goes on learning from more rows, for an entry that can.
    pub update: Option<UpdateFn>,
    /// Runs a search for outliers with SHAP values, for an entry that has them.
    pub explain: Option<ExplainFn>,
    /// Fits on one series and goes on with it value by value, for an entry that can.
    pub track: Option<TrackFn>,
    /// Whether a trial that names no model takes it: quick, well known, and good without tuning.
    pub first_choice: bool,
    /// Parameters under which most rules of the conformance suite run it, in place of its defaults:
    /// fewer rounds, say, of an entry whose defaults take seconds.
    pub light: &'static [(&'static str, &'static str)],
    /// Parameters that only together give another one an effect: the rule of the conformance suite
    /// that every parameter matters looks beside each of these sets too.
    pub together: &'static [&'static [(&'static str, &'static str)]],
    /// Other names of parameters, as the reference library takes them: the other name and the parameter's.
    pub also: &'static [(&'static str, &'static str)],
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

/// A file of another program that an entry writes and reads.
#[derive(Clone, Copy)]
pub struct ForeignFile {
    /// What it is called.
    pub format: &'static str,
    /// From what [`Fitted::save`] wrote to the file.
    pub write: fn(&[u8]) -> Result<String, FitError>,
    /// From the file to a model.
    pub read: fn(&str) -> Result<Box<dyn Fitted>, FitError>,
}

fn to_foreign<M: Foreign>(saved: &[u8]) -> Result<String, FitError> {
    let card = <M as Supervised>::CARD;
    let held = opened::<<M as Supervised>::Fitted>(
        card,
        saved,
        <M as Supervised>::MISSING,
        <M as Supervised>::DOMAIN,
    )?;
    M::write_foreign(&held.model, held.columns)
}

fn from_foreign<M: Foreign>(text: &str) -> Result<Box<dyn Fitted>, FitError> {
    let (model, columns) = M::read_foreign(text)?;
    Ok(Box::new(Held {
        entry: <M as Supervised>::CARD.id,
        columns,
        missing: <M as Supervised>::MISSING,
        domain: <M as Supervised>::DOMAIN,
        model,
    }))
}

/// Learns several targets with parameters, rows and a seed.
pub type FitMultiFn =
    fn(&ParamMap, &Verified<MultiTraining>, u64) -> Result<Box<dyn FittedMulti>, FitError>;

/// Reads what [`FittedMulti::save`] wrote, or says why it cannot.
pub type LoadMultiFn = fn(&[u8]) -> Result<Box<dyn FittedMulti>, FitError>;

/// Goes on from what [`Fitted::save`] wrote, once over more rows, with parameters and a seed.
pub type UpdateFn =
    fn(&[u8], &ParamMap, &Verified<Training>, u64) -> Result<Box<dyn Fitted>, FitError>;

/// Runs an entry of outliers with given parameters and a seed, with SHAP values.
pub type ExplainFn =
    fn(&ParamMap, &Verified<Observations>, u64) -> Result<(Outputs, Contributions), FitError>;

/// Forecasts `horizon` values after the last one of a sequence: `forecast` and what else the card
/// names.
pub type ForecastFn = fn(&ParamMap, &Verified<Sequence>, usize) -> Result<Outputs, FitError>;

/// Starts an indicator before its first bar, with parameters.
pub type StreamFn = fn(&ParamMap) -> Result<Box<dyn Stream>, FitError>;

/// Fits on one series, from where an earlier fit ended if that is given, and stands after its last value.
pub type TrackFn =
    fn(&ParamMap, &Verified<Sequence>, Option<&[f64]>) -> Result<Box<dyn Tracker>, FitError>;

impl Entry {
    /// The entry of a supervised model.
    #[must_use]
    pub const fn supervised<M: Learner>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Supervised {
                fit: fit::<M>,
                load: load::<M>,
            },
            forecast: None,
            stream: None,
            whole: &[],
            update: None,
            explain: None,
            track: None,
            first_choice: false,
            light: &[],
            together: &[],
            also: &[],
            weights: M::WEIGHTS,
            probabilities: M::PROBABILITIES,
            missing: M::MISSING,
            foreign: None,
            domain: M::DOMAIN,
        }
    }

    /// The entry of a model of several targets.
    #[must_use]
    pub const fn multi<M: MultiLearner>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Multi {
                fit: fit_multi::<M>,
                load: load_multi::<M>,
            },
            forecast: None,
            stream: None,
            whole: &[],
            update: None,
            explain: None,
            track: None,
            first_choice: false,
            light: &[],
            together: &[],
            also: &[],
            weights: false,
            probabilities: true,
            missing: false,
            foreign: None,
            domain: Domain::Real,
        }
    }

    /// The same entry, taken by trials that name no model.
    #[must_use]
    pub const fn as_first_choice(mut self) -> Self {
        self.first_choice = true;
        self
    }

    /// The same entry, run with these parameters by most rules of the conformance suite.
    #[must_use]
    pub const fn tested_with(mut self, light: &'static [(&'static str, &'static str)]) -> Self {
        self.light = light;
        self
    }

    /// The same entry, some parameters of which matter beside these sets of others only.
    #[must_use]
    pub const fn mattering_beside(
        mut self,
        together: &'static [&'static [(&'static str, &'static str)]],
    ) -> Self {
        self.together = together;
        self
    }

    /// The same entry, some parameters of which have other names in the reference library too.
    #[must_use]
    pub const fn also_called(mut self, also: &'static [(&'static str, &'static str)]) -> Self {
        self.also = also;
        self
    }

    /// The same entry, that also goes on learning.
    #[must_use]
    pub const fn with_updates<M: Incremental>(mut self) -> Self {
        self.update = Some(update::<M>);
        self
    }

    /// The same entry of outliers, that also has SHAP values.
    #[must_use]
    pub const fn with_explanations<M: ExplainedClusterer>(mut self) -> Self {
        self.explain = Some(cluster_and_explain::<M>);
        self
    }

    /// The same entry, whose models move to and from a file of another program.
    #[must_use]
    pub const fn with_foreign<M: Foreign>(mut self) -> Self {
        self.foreign = Some(ForeignFile {
            format: M::FORMAT,
            write: to_foreign::<M>,
            read: from_foreign::<M>,
        });
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

    /// The entry of an indicator that also runs bar by bar.
    #[must_use]
    pub const fn streamed<M: Streamed>() -> Self {
        let mut entry = Self::indicator::<M>();
        entry.engine = Engine::Indicator { run: fold::<M> };
        entry.stream =
            Some(|params| stream::start::<M>(&<M as Streamed>::Params::from_map(params)?));
        entry
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
            stream: None,
            whole: &[],
            missing: false,
            foreign: None,
            update: None,
            explain: None,
            track: None,
            first_choice: false,
            light: &[],
            together: &[],
            also: &[],
            weights: M::WEIGHTS,
            probabilities: false,
            domain: Domain::Real,
        }
    }

    /// The entry of a method on series.
    #[must_use]
    pub const fn analysis<M: Analysis>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Analysis {
                run: analyse::<M>,
                width: M::WIDTH,
                takes: M::TAKES,
            },
            forecast: None,
            stream: None,
            whole: &[],
            missing: M::MISSING,
            foreign: None,
            update: None,
            explain: None,
            track: None,
            first_choice: false,
            light: &[],
            together: &[],
            also: &[],
            weights: false,
            probabilities: false,
            domain: Domain::Real,
        }
    }

    /// The same entry, that also goes on with a series value by value.
    #[must_use]
    pub const fn with_tracking<M: Track>(mut self) -> Self {
        self.track = Some(|params, series, start| {
            M::track(&M::Params::from_map(params)?, series.get().values(), start)
        });
        self
    }

    /// The entry of a simulation over bars.
    #[must_use]
    pub const fn simulation<M: Simulation>() -> Self {
        Self {
            card: M::CARD,
            params: M::Params::specs,
            resolve: resolve::<M::Params>,
            engine: Engine::Simulation { run: simulate::<M> },
            forecast: None,
            stream: None,
            whole: &[],
            missing: false,
            foreign: None,
            update: None,
            explain: None,
            track: None,
            first_choice: false,
            light: &[],
            together: &[],
            also: &[],
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
            stream: None,
            whole: M::WHOLE,
            missing: false,
            foreign: None,
            update: None,
            explain: None,
            track: None,
            first_choice: false,
            light: &[],
            together: &[],
            also: &[],
            weights: false,
            probabilities: false,
            domain: Domain::Real,
        }
    }
}

fn resolve<P: Params>(given: &ParamMap) -> Result<ParamMap, ParamError> {
    Ok(P::from_map(given)?.to_map())
}
