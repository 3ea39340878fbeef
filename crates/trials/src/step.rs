//! A step: one model learns on one fold's training rows, pooled over symbols, and forecasts its test
//! rows. A pure function of specification, panel and place in the plan, and, for a model that follows a
//! series, of where the fit on the fold before ended, which is such a function itself.

use crate::panel::{Horizon, Panel, learned};
use crate::port::{Predictions, Starts};
use crate::spec::task_of;
use mltrainer_catalogue_core::entry::TrackFn;
use mltrainer_catalogue_core::{
    Design, Engine, FitError, Inputs, ParamMap, Prediction, Registry, Resolved, Sequence, Takes,
    Tracker, Training,
};
use mltrainer_compliance::Verified;
use mltrainer_types::catalogue::Task;
use mltrainer_types::trial::{ModelSpec, Target, TrialSpec};
use ndarray::Array2;
use std::collections::{BTreeMap, BTreeSet};

/// A place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From 0; horizons outermost, folds innermost.
    pub index: u32,
    /// Place of the horizon in the specification.
    pub horizon: usize,
    /// Place of the model in the specification.
    pub model: usize,
    /// Place of the fold.
    pub fold: usize,
}

/// All steps, in order: for each horizon each model over all folds, baselines first.
#[must_use]
pub fn plan(spec: &TrialSpec, panel: &Panel) -> Vec<Step> {
    let mut steps = Vec::new();
    for (horizon, h) in panel.horizons.iter().enumerate() {
        for model in 0..spec.models.len() {
            for fold in 0..h.folds.len() {
                steps.push(Step {
                    index: steps.len() as u32,
                    horizon,
                    model,
                    fold,
                });
            }
        }
    }
    steps
}

/// Most forecasts (test rows x models x horizons) of a trial: half a gigabyte when it is resumed.
pub const MAX_FORECASTS: usize = 10_000_000;

/// Forecasts that a trial makes.
#[must_use]
pub fn forecasts(spec: &TrialSpec, panel: &Panel) -> usize {
    let rows: usize = panel
        .horizons
        .iter()
        .flat_map(|h| h.folds.iter().map(|f| h.test(f).len()))
        .sum();
    rows * spec.models.len()
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Test rows.
    pub predictions: Predictions,
    /// Things to know about the fit.
    pub notes: Vec<String>,
    /// Where the fit of the next fold starts.
    pub starts: Starts,
}

/// Whether a model of the specification starts each fit where that of the fold before ended, so that its
/// steps are done in the order of their folds.
#[must_use]
pub fn starts_warm(spec: &TrialSpec, registry: &Registry, model: usize) -> bool {
    let found = spec.models.get(model).and_then(|m| registry.find(&m.model));
    found.is_some_and(|f| f.entry.track.is_some())
}

/// What a model that follows a series is fed.
pub(crate) fn takes(found: &Resolved) -> Takes {
    match found.entry.engine {
        Engine::Analysis { takes, .. } => takes,
        _ => Takes::Levels,
    }
}

/// The seed of a step: the same for every model, so that adding a model changes no other.
fn seed(spec: &TrialSpec, step: &Step) -> u64 {
    // SplitMix64 of the place, so that neighbouring folds do not get neighbouring seeds.
    let place = (u64::from(spec.horizons[step.horizon]) << 32) | step.fold as u64;
    let mut z = spec.seed ^ place.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Mean and standard deviation of values; the deviation is 1 where they do not vary.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let deviation = (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}

/// How the inputs and the target of a model are made from rows: fitted on training rows only.
struct Preparation {
    names: Vec<String>,
    /// Column of the panel, mean and deviation; empty for the last known value alone.
    columns: Vec<(usize, f64, f64)>,
    /// Mean and deviation of the target.
    target: (f64, f64),
    /// Whether the model is fed the last known value and learns the target as it is stated.
    last_known: bool,
}

impl Preparation {
    fn new(spec: &TrialSpec, panel: &Panel, step: &Step, train: &[usize], inputs: Inputs) -> Self {
        let h = &panel.horizons[step.horizon];
        if inputs == Inputs::LastKnown {
            return Self {
                names: vec!["last_known".to_owned()],
                columns: Vec::new(),
                target: (0.0, 1.0),
                last_known: true,
            };
        }
        let width = panel.features.len();
        let columns: Vec<(usize, f64, f64)> = h.selections[step.fold]
            .kept
            .iter()
            .map(|&k| {
                let (mean, sd) = moments(train.iter().map(|&r| panel.x[h.rows[r] * width + k]));
                (k, mean, sd)
            })
            .collect();
        Self {
            names: columns
                .iter()
                .map(|(k, _, _)| panel.features[*k].clone())
                .collect(),
            columns,
            target: if task_of(spec.target) == Task::Classification {
                (0.0, 1.0)
            } else {
                moments(train.iter().map(|&r| learned(spec.target, h, r)))
            },
            last_known: false,
        }
    }

    fn x(&self, panel: &Panel, h: &Horizon, rows: &[usize]) -> Array2<f64> {
        if self.last_known {
            return Array2::from_shape_fn((rows.len(), 1), |(i, _)| h.known[rows[i]]);
        }
        let width = panel.features.len();
        Array2::from_shape_fn((rows.len(), self.columns.len()), |(i, j)| {
            let (k, mean, sd) = self.columns[j];
            (panel.x[h.rows[rows[i]] * width + k] - mean) / sd
        })
    }

    fn y(&self, target: Target, h: &Horizon, rows: &[usize]) -> Vec<f64> {
        let (mean, sd) = self.target;
        rows.iter()
            .map(|&r| {
                if self.last_known {
                    h.target[r]
                } else {
                    (learned(target, h, r) - mean) / sd
                }
            })
            .collect()
    }

    /// A forecast in the unit of the target.
    fn stated(&self, target: Target, h: &Horizon, row: usize, value: f64) -> f64 {
        if self.last_known {
            return value;
        }
        let learned = self.target.0 + self.target.1 * value;
        if target == Target::Price {
            h.close[row] * (1.0 + learned)
        } else {
            learned
        }
    }
}

/// Fits and forecasts. `starts` is what the step of the same model and horizon on the fold before gave;
/// it is looked at for a model that [`starts_warm`].
///
/// # Errors
/// One sentence: why the model has no answer on this fold.
pub fn run(
    spec: &TrialSpec,
    registry: &Registry,
    panel: &Verified<Panel>,
    step: &Step,
    starts: &Starts,
) -> Result<Outcome, String> {
    let model: &ModelSpec = &spec.models[step.model];
    let found = registry
        .find(&model.model)
        .ok_or_else(|| format!("the catalogue has no model {} any more", model.model))?;
    if let Some(track) = found.entry.track {
        let takes = takes(&found);
        return follow(spec, panel, step, (&model.params, track, takes), starts);
    }
    let Engine::Supervised { fit, .. } = found.entry.engine else {
        return Err(format!("{} does not learn a target", model.model));
    };
    let rows = panel.get();
    let h = &rows.horizons[step.horizon];
    let fold = &h.folds[step.fold];
    let (train, test) = (h.train(fold), h.test(fold));
    let preparation = Preparation::new(spec, rows, step, &train, found.entry.card.inputs);
    let mut notes = Vec::new();
    let dropped = rows.features.len() - preparation.columns.len();
    if !preparation.last_known && dropped > 0 {
        let names: Vec<&str> = rows
            .features
            .iter()
            .filter(|f| !preparation.names.contains(f))
            .map(String::as_str)
            .collect();
        notes.push(format!(
            "left out because they do not vary in the training window or say the same as another: {}",
            names.join(", ")
        ));
    }
    let training = panel
        .derive(
            "training window",
            format!("horizon {}, fold {}", h.bars, step.fold + 1),
            |p| {
                let x = preparation.x(p, h, &train);
                let design = Design::new(x, preparation.names.clone())?;
                let y = preparation.y(spec.target, h, &train);
                match task_of(spec.target) {
                    // An entry that states positions does not look at labels.
                    Task::Classification
                        if found.entry.card.tasks.contains(&Task::Classification) =>
                    {
                        Training::classification(design, y)
                    }
                    _ => Training::regression(design, y),
                }
            },
        )
        .map_err(|e| e.to_string())?;
    let fitted = fit(&model.params, &training, seed(spec, step)).map_err(|e| e.to_string())?;
    let prediction = fitted
        .predict(preparation.x(rows, h, &test).view())
        .map_err(|e| e.to_string())?;
    let predictions = collect(spec, rows, h, &test, &preparation, &prediction)?;
    Ok(Outcome {
        predictions,
        notes,
        starts: Starts::default(),
    })
}

/// Follows a series day by day, symbol by symbol: the model's parameters are estimated on the days of the
/// training window and those up to the first test day, whose values are all known before it; then each day's
/// value is taken in and the forecast a horizon ahead made. The series is the quantity as last known; for a model
/// of returns it is the returns of the days, in percent, and the forecast follows from means and variances of the
/// days to come. The search for the parameters starts where that of the fold before ended.
fn follow(
    spec: &TrialSpec,
    panel: &Verified<Panel>,
    step: &Step,
    model: (&ParamMap, TrackFn, Takes),
    starts: &Starts,
) -> Result<Outcome, String> {
    let (params, track, takes) = model;
    let rows = panel.get();
    let h = &rows.horizons[step.horizon];
    let fold = &h.folds[step.fold];
    let test = h.test(fold);
    let symbol = |row: usize| rows.rows[h.rows[row]].symbol;
    let symbols: BTreeSet<u32> = test.iter().map(|r| symbol(*r)).collect();
    let mut values = vec![f64::NAN; test.len()];
    let mut ends = BTreeMap::new();
    let mut notes = Vec::new();
    for own in symbols {
        let name = &rows.symbols[own as usize];
        let days = fold.train.start..fold.test.end;
        let all: Vec<usize> = (0..h.day.len())
            .filter(|r| symbol(*r) == own && days.contains(&h.day[*r]))
            .collect();
        let before = all.partition_point(|r| h.day[*r] < fold.test.start);
        let said = |e: FitError| format!("{name}: {e}");
        let series = panel
            .derive(
                "training series",
                format!("{name}, horizon {}, fold {}", h.bars, step.fold + 1),
                |p| {
                    let h = &p.horizons[step.horizon];
                    Ok::<_, FitError>(match takes {
                        Takes::Returns => {
                            let days = all[..before].windows(2);
                            let returns = days.map(|w| percent(h, w[0], w[1])).collect();
                            Sequence::new("returns in percent", returns)?
                        }
                        _ => {
                            let known = all[..before].iter().map(|r| h.known[*r]).collect();
                            Sequence::new("as last known", known)?
                        }
                    })
                },
            )
            .map_err(said)?;
        let start = starts.0.get(&own).map(Vec::as_slice);
        let mut tracker = track(params, &series, start).map_err(said)?;
        let end = tracker.start();
        if !end.is_empty() {
            ends.insert(own, end);
        }
        notes.extend(
            tracker
                .warnings()
                .into_iter()
                .map(|w| format!("{name}: {w}")),
        );
        for place in before..all.len() {
            let row = all[place];
            match (takes, place.checked_sub(1)) {
                (Takes::Returns, Some(last)) => tracker.update(percent(h, all[last], row)),
                (Takes::Returns, None) => {}
                _ => tracker.update(h.known[row]),
            }
            if let Ok(at) = test.binary_search(&row) {
                values[at] = if takes == Takes::Returns {
                    from_returns(spec.target, h, row, &*tracker)?
                } else {
                    tracker.forecast(h.bars as usize)
                };
            }
        }
    }
    let preparation = Preparation::new(spec, rows, step, &[], Inputs::LastKnown);
    let prediction = Prediction::values(values);
    let predictions = collect(spec, rows, h, &test, &preparation, &prediction)?;
    Ok(Outcome {
        predictions,
        notes,
        starts: Starts(ends),
    })
}

/// The return from one row to another, in percent.
fn percent(h: &Horizon, from: usize, to: usize) -> f64 {
    100.0 * (h.close[to] / h.close[from] - 1.0)
}

/// The target from a model of daily returns in percent: a return compounds the means of the days to come; a
/// volatility is the root of the mean of their expected squares.
fn from_returns(
    target: Target,
    h: &Horizon,
    row: usize,
    tracker: &dyn Tracker,
) -> Result<f64, String> {
    let steps = h.bars as usize;
    let compound = || {
        (1..=steps)
            .map(|k| 1.0 + tracker.forecast(k) / 100.0)
            .product::<f64>()
    };
    match target {
        Target::Return => Ok(compound() - 1.0),
        Target::Price => Ok(h.close[row] * compound()),
        Target::LogVolatility => {
            let spread = tracker
                .spread(steps)
                .ok_or("the model of returns does not forecast their variance")?;
            let squares: f64 = spread
                .iter()
                .map(|(mean, variance)| mean * mean + variance)
                .sum();
            Ok(0.5 * (squares / steps as f64).ln() - 100.0_f64.ln())
        }
        Target::Direction | Target::Range => Err(format!(
            "a model of returns and their variance says nothing of {}",
            target.as_str()
        )),
    }
}

fn collect(
    spec: &TrialSpec,
    panel: &Panel,
    h: &Horizon,
    test: &[usize],
    preparation: &Preparation,
    prediction: &Prediction,
) -> Result<Predictions, String> {
    let pick = |column: &[f64]| test.iter().map(|&r| column[r]).collect::<Vec<f64>>();
    let mut out = Predictions {
        symbol: test.iter().map(|&r| panel.rows[h.rows[r]].symbol).collect(),
        day: test.iter().map(|&r| panel.rows[h.rows[r]].day).collect(),
        predicted: Vec::new(),
        actual: pick(&h.target),
        known: pick(&h.known),
        next_return: pick(&h.next_return),
        probability: Vec::new(),
        position: Vec::new(),
    };
    let wrong = |what: &str, n: usize| format!("the model gave {n} {what} for {} rows", test.len());
    if let Some(positions) = &prediction.positions {
        if positions.len() != test.len() {
            return Err(wrong("positions", positions.len()));
        }
        if let Some(p) = positions.iter().find(|p| !(-1.0..=1.0).contains(*p)) {
            return Err(format!("the model gave position {p}, outside -1 to 1"));
        }
        out.position.clone_from(positions);
        out.predicted = vec![f64::NAN; test.len()];
        return Ok(out);
    }
    if prediction.values.len() != test.len() {
        return Err(wrong("values", prediction.values.len()));
    }
    if spec.target == Target::Direction {
        out.probability = match &prediction.probabilities {
            // A class that never occurred in training has no column, and so no probability.
            Some(p) => prediction
                .classes
                .iter()
                .position(|c| *c == 1)
                .map_or_else(|| vec![0.0; test.len()], |k| p.column(k).to_vec()),
            None => prediction.values.clone(),
        };
        out.predicted = out
            .probability
            .iter()
            .map(|p| f64::from(u8::from(*p > 0.5)))
            .collect();
    } else {
        out.predicted = prediction
            .values
            .iter()
            .zip(test)
            .map(|(v, &row)| preparation.stated(spec.target, h, row, *v))
            .collect();
    }
    let bad = out
        .predicted
        .iter()
        .chain(&out.probability)
        .position(|v| !v.is_finite());
    match bad {
        None => Ok(out),
        Some(row) => Err(format!(
            "the forecast for {} is not a finite number",
            out.day[row % test.len()]
        )),
    }
}
